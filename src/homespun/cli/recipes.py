"""The arguments of commands that take a recipe: RECIPE first, then flags of their own and the recipe's keys."""

import argparse
from pathlib import Path

from homespun.cli.parsing import CommandParser
from homespun.recipe.config import RunConfig


class RecipeParser(CommandParser):
    """Parses `RECIPE [own flags] [--key.sub value ...]`; `--help` lists the recipe's keys after the own flags."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            usage=f"{prog} RECIPE [--key.sub value ...]",
            add_help=False,
        )
        self.add_argument("-h", "--help", action="store_true", help="show this and exit")

    def parse_recipe(self, arguments: list[str]) -> tuple[RunConfig, argparse.Namespace] | None:
        """Return the run that recipe and flags describe, and the command's own flags; None after `--help`.

        Raises:
            ConfigError: the recipe is not named first, or the recipe or a flag cannot work.
            MissingFileError: there is no such recipe.
        """
        if "-h" in arguments or "--help" in arguments:
            from homespun.recipe.keys import recipe_help

            self.print_help()
            print(f"\nEvery key of the recipe is a flag too:\n{recipe_help()}")
            return None
        if not arguments or arguments[0].startswith("-"):
            self.error("the recipe comes first, for example recipes/demo.yaml")
        # Imported here so that a wrong command line is refused at once.
        from homespun.recipe.load import load_recipe

        own, overrides = self.parse_known_args(arguments[1:])
        if getattr(own, "from_run", None) is not None:
            overrides.append(f"--training.from_run={own.from_run}")
        return load_recipe(Path(arguments[0]), overrides), own
