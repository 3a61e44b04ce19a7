"""Starts the client, which is a module so that its compiled form can be kept (tools/compile-python)."""
import sys

sys.path.insert(0, __file__.rpartition("/")[0])
from _lambkin_client import main  # noqa: E402 it may be nowhere else on the path

main()
