"""HTML as a value to log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from runstream.media.base import BatchableMedia, downloaded
from runstream.media.content import BytesContent, FileContent, MediaFile

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from runstream.media.base import MediaPlace

#: What is injected into pages: links open outside of the frame in which the page is shown.
_HEAD = (
    '<base target="_blank"><meta charset="utf-8">'
    "<style>body{font-family:system-ui,sans-serif;font-size:14px;line-height:1.4;margin:8px}</style>"
)


class Html(BatchableMedia):
    """A page, or a piece of one.

    Args:
        data: HTML as text; the path of a file whose name ends with ``.html``; or an open file.
        inject: Add a base style sheet.
        data_is_not_path: Never take ``data`` as a path.

    Raises:
        ValueError: ``data`` is something else, or not UTF-8 text.
        OSError: The file cannot be read.
    """

    _log_type: ClassVar[str] = "html-file"

    def __init__(
        self,
        data: str | os.PathLike[str] | Any,
        inject: bool = True,  # noqa: FBT001, FBT002 - the signature of W&B
        data_is_not_path: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        path = None if data_is_not_path else _path_of(data)
        if path is not None and not inject:
            content: BytesContent | FileContent = FileContent.existing(path)
            self.html = ""
        else:
            text = _text_of(data, path)
            self.html = with_head(text) if inject else text
            content = BytesContent(self.html.encode(errors="replace"))
        super().__init__(MediaFile(folder="html", extension="html", content=content))

    @classmethod
    def from_artifact(cls, description: dict[str, Any], artifact: Any) -> Self:
        """Return the page that a dict in an artifact describes; its file is downloaded."""
        return cls(downloaded(description, artifact), inject=False)

    @classmethod
    def record_list(cls, items: Sequence[Html], place: MediaPlace) -> dict[str, Any]:
        """Return the dict that is recorded for a list of pages; raises OSError."""
        return {"_type": "html", "count": len(items), "html": [item.record(place) for item in items]}


def with_head(text: str) -> str:
    """Return a page with the base style sheet at the beginning of its head."""
    for tag, before, after in (("head", "", ""), ("html", "<head>", "</head>")):
        if found := re.search(rf"<{tag}(\s[^>]*)?>", text, re.IGNORECASE):
            return f"{text[: found.end()]}{before}{_HEAD}{after}{text[found.end() :]}".strip()
    return f"{_HEAD}{text}".strip()


def _path_of(data: Any) -> Path | None:
    """Return the path that was passed instead of HTML; None for anything else."""
    if isinstance(data, Path) or (hasattr(data, "__fspath__") and not hasattr(data, "read")):
        return Path(data)
    if not isinstance(data, str) or not data.endswith(".html"):
        return None
    try:
        return Path(data) if Path(data).is_file() else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def _text_of(data: Any, path: Path | None) -> str:
    if path is not None:
        data = path.read_bytes()
    elif hasattr(data, "read"):
        if hasattr(data, "seek"):
            data.seek(0)
        data = data.read()
    if isinstance(data, bytes):
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"Invalid HTML{f' in {path}' if path else ''}: not UTF-8 text ({error})") from None
    if not isinstance(data, str):
        raise ValueError(  # noqa: TRY004 - as W&B
            f"Invalid data for Html: expected text, a path or an open file, not {type(data).__name__}"
        )
    return data
