// Runs every audit of graphql-http against the address it is given, and prints what came as JSON: one object an audit.
import { serverAudits } from 'graphql-http';

const [url] = process.argv.slice(2);
const results = [];
for (const { fn } of serverAudits({ url })) {
  const { id, name, status, reason, response } = await fn();
  const said = response && {
    status: response.status,
    contentType: response.headers.get('content-type'),
    body: response.bodyUsed ? null : (await response.text()).slice(0, 500),
  };
  results.push({ id, name, status, reason, response: said });
}
console.log(JSON.stringify(results));
