"""Pages to print: what PDF files with Chinese text need. They need the extra `pdf`."""

from hub.errors import HubError

FONT = "STSong-Light"
"""A font that readers bring themselves, so that none is shipped or embedded. Source: ISO 32000-1, 9.7 (Adobe-GB1)."""


class FormatUnavailableError(HubError):
    """This format needs a package that is not installed."""

    code = "FORMAT_UNAVAILABLE"


def register_font() -> None:
    """Make `FONT` known to reportlab.

    Raises:
        FormatUnavailableError: reportlab is not installed.
    """
    try:
        from reportlab.pdfbase.cidfonts import UnicodeCIDFont  # noqa: PLC0415  # an extra
        from reportlab.pdfbase.pdfmetrics import registerFont  # noqa: PLC0415
    except ImportError as exc:
        raise FormatUnavailableError("reportlab is not installed") from exc
    registerFont(UnicodeCIDFont(FONT))
