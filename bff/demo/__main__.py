"""``python -m bff.demo <erp|loyalty|cms>``: play one back office until stdin ends."""

import argparse
from collections.abc import Sequence
from datetime import date

from starlette.applications import Starlette

from bff.demo.data.world import World, moscow_today
from bff.demo.serving import serve


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve the office it names."""
    options = _parser().parse_args(arguments)
    world = World(options.today or moscow_today(), options.seed)
    serve(options.office, _office(options, world), options.port)


def _office(options: argparse.Namespace, world: World) -> Starlette:
    # Imported here, for a process needs only the office it plays, and should be up at once.
    match options.office:
        case "erp":
            from bff.demo.erp import Erp  # noqa: PLC0415
            from bff.demo.sessions import Sessions  # noqa: PLC0415

            sessions = Sessions(pool=options.pool, idle_seconds=options.session_seconds)
            return Erp(
                world,
                sessions,
                user=options.user,
                password=options.password,
                call_ms=options.call_ms,
                key_ms=options.key_ms,
            ).app()
        case "loyalty":
            from bff.demo.loyalty import Loyalty  # noqa: PLC0415

            return Loyalty(world, api_key=options.api_key, per_second=options.per_second).app()
        case _:
            from bff.demo.cms import Cms  # noqa: PLC0415

            return Cms(world, token=options.token).app()


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one (default)")
    common.add_argument("--seed", type=int, default=1, help="another seed is another shop (default: 1)")
    common.add_argument("--today", type=date.fromisoformat, help="YYYY-MM-DD (default: today in Moscow)")

    parser = argparse.ArgumentParser(prog="python -m bff.demo", description="Plays a back office, with invented data.")
    offices = parser.add_subparsers(dest="office", required=True)

    # The demo's secrets are words for everyone to know: they guard invented data on the loopback interface.
    erp = offices.add_parser("erp", parents=[common], help="1C:Enterprise, a SOAP service")
    erp.add_argument("--user", default="cabinet")
    erp.add_argument("--password", default="demo")
    erp.add_argument("--pool", type=int, default=10, help="sessions at most (default: 10)")
    erp.add_argument("--session-seconds", type=float, default=20, help="a session idle for longer ends (default: 20)")
    erp.add_argument("--call-ms", type=float, default=0, help="cost of a call, milliseconds")
    erp.add_argument("--key-ms", type=float, default=0, help="cost of each id asked for, milliseconds")

    loyalty = offices.add_parser("loyalty", parents=[common], help="RetailCRM, API v5")
    loyalty.add_argument("--api-key", default="demo")
    loyalty.add_argument("--per-second", type=int, default=0, help="calls a second before it says 503; 0: no limit")

    cms = offices.add_parser("cms", parents=[common], help="a small JSON API")
    cms.add_argument("--token", default="demo")
    return parser


if __name__ == "__main__":
    main()
