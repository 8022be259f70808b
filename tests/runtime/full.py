"""A disk that is full, as far as this process goes."""

from contextlib import contextmanager


@contextmanager
def full_disk(size):
    """Inside, no file grows beyond `size` bytes (Linux): what writing then raises is much as what a full disk gives."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
