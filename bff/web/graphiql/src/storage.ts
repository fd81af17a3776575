const PREFIX = "kabinet:";
const HISTORY = /^graphiql:(queries|favorites)$/;

type Item = { headers?: string };

/**
 * localStorage under our own prefix: another GraphiQL that was once served from the same localhost address shares nothing
 * with ours. The history plug-in stores request headers whatever `shouldPersistHeaders` says. We never write them down, and
 * give the stored queries the headers of the page, so that no spent token comes back.
 */
export function pageStorage(headers: string | undefined) {
  const keys = () => Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
  const withHeaders = (text: string, value: string | undefined): string => {
    try {
      const stored: Record<string, Item[]> = JSON.parse(text);
      for (const items of Object.values(stored)) for (const item of items) item.headers = value;
      return JSON.stringify(stored);
    } catch {
      return "";
    }
  };
  return {
    getItem(key: string): string | null {
      const value = localStorage.getItem(PREFIX + key);
      return value && HISTORY.test(key) ? withHeaders(value, headers) : value;
    },
    setItem(key: string, value: string): void {
      localStorage.setItem(PREFIX + key, HISTORY.test(key) ? withHeaders(value, undefined) : value);
    },
    removeItem: (key: string) => localStorage.removeItem(PREFIX + key),
    clear: () => keys().forEach((key) => localStorage.removeItem(key)),
    get length() {
      return keys().length;
    },
  };
}
