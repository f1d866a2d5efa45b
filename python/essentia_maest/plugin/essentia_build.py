"""Decides, by reading its file, whether an Essentia library can take the plugin."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

SUPPORTED = (
    "supported are the PyPI wheels for Linux on x86-64 of essentia 2.1b6.dev1034, 2.1b6.dev1110, "
    "2.1b6.dev1389 and 2.1b6.dev1438 and of essentia-tensorflow 2.1b6.dev1389"
)

_MACHINES = ("x86_64", "aarch64")

# Bytes of the tables of virtual functions in the supported builds, as in the headers that the
# plugin is built with: another number is another layout of the classes it derives from.
_VIRTUAL_TABLES = {
    "_ZTVN8essentia12ConfigurableE": 64,
    "_ZTVN8essentia8standard9AlgorithmE": 80,
    "_ZTVN8essentia9streaming8SinkBaseE": 192,
    "_ZTVN8essentia9streaming9AlgorithmE": 96,
    "_ZTVN8essentia9streaming10SourceBaseE": 232,
}

# A function that every Essentia exports unless it hides all, with each layout of std::string.
_DECLARE_PARAMETER = "_ZN8essentia12Configurable16declareParameterERKSsS2_S2_RKNS_9ParameterE"
_DECLARE_PARAMETER_NEW = (
    "_ZN8essentia12Configurable16declareParameterERKNSt7__cxx1112basic_string"
    "IcSt11char_traitsIcESaIcEEES8_S8_RKNS_9ParameterE"
)


def reason_against(library: Path, plugin: Path) -> str:
    """Return why `library` cannot take `plugin`, or an empty text if it can.

    Parameters
    ----------
    library : pathlib.Path
        Essentia's extension module. It is read, not loaded.
    plugin : pathlib.Path
        The shared library with the algorithms.
    """
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return _refusal(library, f"this is {platform.system()} on {platform.machine()}")
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with library.open("rb") as library_file, plugin.open("rb") as plugin_file:
            what = _difference(ELFFile(library_file), ELFFile(plugin_file))
    except (ELFError, OSError) as error:
        what = f"it cannot be read as a shared library: {error}"
    return _refusal(library, what) if what else ""


def _refusal(library: Path, what: str) -> str:
    return f"the Essentia in {library} cannot take the algorithms of essentia-maest: {what}; " + (
        SUPPORTED
    )


def _difference(library: ELFFile, plugin: ELFFile) -> str:
    if library["e_machine"] != plugin["e_machine"]:
        return f"it is for {library['e_machine']} and the plugin for {plugin['e_machine']}"
    symbols: Any = plugin.get_section_by_name(".dynsym")
    wanted = [
        symbol.name
        for symbol in symbols.iter_symbols()
        if symbol["st_shndx"] == "SHN_UNDEF" and "8essentia" in symbol.name
    ]
    exported = _exported(library, {*wanted, *_VIRTUAL_TABLES, _DECLARE_PARAMETER_NEW})
    if _DECLARE_PARAMETER not in exported:
        if _DECLARE_PARAMETER_NEW in exported:
            return "it was compiled with the newer layout of std::string (_GLIBCXX_USE_CXX11_ABI=1)"
        return "it does not export Essentia's C++ symbols"
    missing = [name for name in wanted if name not in exported]
    if missing:
        return f"it lacks {len(missing)} of {len(wanted)} symbols, among them {missing[0]}"
    for name, size in _VIRTUAL_TABLES.items():
        found = exported[name]["st_size"] if name in exported else 0
        if found != size:
            return (
                f"{name} has {found} bytes, {size} are wanted: its classes are laid out otherwise"
            )
    return ""


def _exported(library: ELFFile, names: set[str]) -> dict[str, Any]:
    """Return those of `names` that `library` defines."""
    table: Any = library.get_section_by_name(".gnu.hash")
    if table is not None:  # finds a name without reading every symbol
        found = {name: table.get_symbol(name) for name in names}
    else:
        symbols: Any = library.get_section_by_name(".dynsym")
        every = symbols.iter_symbols() if symbols is not None else ()
        found = {symbol.name: symbol for symbol in every if symbol.name in names}
    return {
        name: symbol
        for name, symbol in found.items()
        if symbol is not None and symbol["st_shndx"] != "SHN_UNDEF"
    }
