import wallet_gui


def test_version_is_one_place() -> None:
    assert wallet_gui.__version__.count(".") == 2
