"""The first lines of the packaged application; PyInstaller makes its executable from them."""

import sys

from wallet_gui.program_start import forget_loaders

# Before Qt or OpenSSL is loaded, hence before the imports of any other part.
forget_loaders()

from wallet_gui.__main__ import main  # noqa: E402

sys.exit(main())
