"""Starts the client, which is a module so that its compiled form can be kept (tools/compile-python)."""
import sys

sys.path.insert(0, __file__.rpartition("/")[0])
import _lambkin_client  # noqa: E402 it may be nowhere else on the path

_lambkin_client.wait_parked()
_lambkin_client.main()
