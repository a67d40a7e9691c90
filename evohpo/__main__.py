"""`python -m evohpo` is the command `evohpo`."""

from evohpo.cli import main

if __name__ == "__main__":
    main(prog_name="evohpo")
