"""`homespun prepare`: make the text, tokenizer and token data sets of a recipe that do not exist yet."""

from homespun.cli.recipes import RecipeParser

_DESCRIPTION = """\
Make what a recipe needs: text (generated or downloaded), tokenizer, token data sets. What exists is kept; after an
interruption the same command resumes.

examples:
  homespun prepare recipes/demo.yaml
  homespun prepare recipes/tinystories-short.yaml --source.train mine/train.txt --source.valid mine/valid.txt"""


def main(arguments: list[str]) -> int:
    """Prepare one recipe's data."""
    parsed = RecipeParser("homespun prepare", _DESCRIPTION).parse_recipe(arguments)
    if parsed is None:
        return 0
    # Imported here: `homespun prepare --help` does not wait for the tokenizer.
    from homespun.cli.progress import progress_bar
    from homespun.recipe.prepare import prepare

    prepare(parsed[0], on_message=print, show_progress=progress_bar)
    return 0
