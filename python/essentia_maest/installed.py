"""Which versions of packages are installed."""

from __future__ import annotations


def version_of(package: str) -> str | None:
    """Tell which version of a package is installed.

    Parameters
    ----------
    package : str
        Its name on the index.

    Returns
    -------
    str or None
        None where it is not.
    """
    # That import is a tenth of what a process takes to start, and few ask for versions.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None
