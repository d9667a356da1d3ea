"""The folders that the scripts read and write: those of Tests/Fixtures, and the demo model."""

from pathlib import Path

FIXTURES = Path(__file__).resolve().parent.parent / "Fixtures"
DEMO = str(FIXTURES.parent.parent / "Sources/DemoModel/Resources/demo")


def fixtures(name):
    """The path of a folder of Tests/Fixtures, which is made if it is missing."""
    folder = FIXTURES / name
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)
