"""What is worth a line in the log, said once in a while however often it happens."""

from __future__ import annotations

from dataclasses import dataclass

EVERY_S = 10.0
"""A subject is spoken of so often at most; what happens in between is summed up."""
MAX_DETAIL = 300
"""Characters of a detail: it may hold words of a peer."""


@dataclass(slots=True)
class _Subject:
    count: int = 0
    detail: str = ""
    quiet_until: float = float("-inf")


class Notices:
    """Subjects come from this program alone, so there are few; of each the last detail is kept."""

    def __init__(self) -> None:
        self._subjects: dict[str, _Subject] = {}
        self._waiting = False

    def note(self, subject: str, detail: str, count: int = 1) -> None:
        """`subject` happened `count` times; `detail` is about the last one; what a peer put into it makes no line of its own."""
        about = self._subjects.get(subject)
        if about is None:
            about = self._subjects[subject] = _Subject()
        about.count += count
        about.detail = "".join(each if each.isprintable() else "?" for each in detail[:MAX_DETAIL])
        self._waiting = True

    def due(self, now: float) -> list[str]:
        """Lines that are to be logged now."""
        if not self._waiting:
            return []
        lines = []
        for subject, about in self._subjects.items():
            if about.count and now >= about.quiet_until:
                lines.append(f"{subject}: {about.count} since last told; the last: {about.detail}")
                about.count, about.quiet_until = 0, now + EVERY_S
        self._waiting = any(about.count for about in self._subjects.values())
        return lines

    def next_deadline(self) -> float | None:
        """When :meth:`due` has something to say; None where nothing waits."""
        if not self._waiting:
            return None
        return min(about.quiet_until for about in self._subjects.values() if about.count)
