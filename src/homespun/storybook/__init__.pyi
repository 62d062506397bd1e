from homespun.storybook.grammar import Storybook as Storybook
from homespun.storybook.walk import Choice as Choice
from homespun.storybook.walk import Mismatch as Mismatch
from homespun.storybook.walk import Story as Story
from homespun.storybook.write import generate_stories as generate_stories
from homespun.storybook.write import parse as parse
from homespun.storybook.write import write_storybook as write_storybook
