"""The public names are what they are called, and no module hides one."""

import inspect
import pkgutil

import essentia_maest as maest


def test_no_module_has_the_name_of_something_public() -> None:
    modules = {found.name for found in pkgutil.iter_modules(maest.__path__)}
    assert not modules & set(maest.__all__)


def test_everything_public_is_there_and_documented() -> None:
    for name in maest.__all__:
        found = getattr(maest, name)
        assert callable(found) or isinstance(found, str)
        assert name in dir(maest)
        if name != "__version__":
            assert inspect.getdoc(found)
