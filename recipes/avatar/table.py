"""Lines of a measured table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    made: float
    control: float | None = None
    true: float | None = None
    note: str = ""

    def line(self) -> str:
        """Markdown."""
        shown = ["" if value is None else f"{value:.3f}" for value in (self.made, self.control, self.true)]
        return f"| {self.name} | {' | '.join(shown)} | {self.note} |"
