"""The folders that the scripts read and write: those of Tests/Fixtures, and the demo model."""

from pathlib import Path

FIXTURES = Path(__file__).resolve().parent.parent / "Fixtures"
DEMO = str(FIXTURES.parent.parent / "Sources/DemoModel/Resources/demo")


def fixtures(name):
    """The path of a folder in Tests/Fixtures; creates the folder if it is missing."""
    folder = FIXTURES / name
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)
