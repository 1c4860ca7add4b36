"""`python -m gateway`, and the `gateway` command."""

from gateway.cli import app


def main() -> None:
    """Run the command line."""
    app(prog_name="gateway")


if __name__ == "__main__":
    main()
