"""Throw-away certificates: an authority, the gateway's, and one for each caller."""

import subprocess

SERVER_NAME = "gateway.test"


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


def make(folder, callers):
    """Writes ca.pem, and NAME.pem with NAME.key for the gateway and for each caller."""
    folder.mkdir()
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    _openssl("req", "-x509", *new_key, "-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem"),
             "-subj", "/CN=kill test authority", "-days", "2")
    for name, host in [("gateway", SERVER_NAME)] + [(caller, f"{caller}.callers.test") for caller in callers]:
        request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
        _openssl("req", *new_key, "-keyout", str(folder / f"{name}.key"), "-out", str(request),
                 "-subj", f"/CN={name}")
        extensions.write_text(f"subjectAltName=DNS:{host}\n")
        _openssl("x509", "-req", "-in", str(request), "-CA", str(folder / "ca.pem"), "-CAkey",
                 str(folder / "ca.key"), "-CAcreateserial", "-days", "2", "-extfile", str(extensions),
                 "-out", str(folder / f"{name}.pem"))
    return folder
