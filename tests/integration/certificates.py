"""Certificates for tests: an authority of their own in a folder, and what it signs. The command openssl does the work."""

import datetime
import subprocess

NAMES = ("DNS:localhost", "IP:127.0.0.1")

CONFIG = """\
[ca]
default_ca = tests
[tests]
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = nothing
[nothing]
"""


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)
    assert done.returncode == 0, f"openssl {arguments}: {done.stdout.decode(errors='replace')}"
    return done.stdout.decode()


EC = ("EC", "ec_paramgen_curve:P-256")
RSA = ("RSA", "rsa_keygen_bits:2048")


def new_key(path, kind=EC):
    openssl("genpkey", "-algorithm", kind[0], "-pkeyopt", kind[1], "-out", path)
    return path


class Authority:
    """.path is its certificate, to be trusted."""

    def __init__(self, folder, name="tests"):
        folder.mkdir(parents=True)
        self.folder = folder
        self.path = folder / "ca.pem"
        self.config = folder / "ca.conf"
        self.config.write_text(CONFIG.format(folder=folder))
        (folder / "index.txt").write_text("")
        (folder / "serial").write_text("1000\n")
        new_key(folder / "ca.key")
        openssl("req", "-x509", "-new", "-config", self.config, "-key", folder / "ca.key", "-subj", f"/CN=authority {name}",
                "-days", "3650", "-addext", "basicConstraints=critical,CA:TRUE", "-out", self.path)

    def issue(self, name, names=NAMES, from_days=-60, until_days=300, kind=EC):
        """The path of NAME.pem: key, certificate and chain; NAME.key and NAME.crt beside it hold them apart."""
        base = self.folder / name
        key = new_key(base.with_suffix(".key"), kind)
        extensions = base.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={','.join(names)}\n")
        openssl("req", "-new", "-config", self.config, "-key", key, "-subj", f"/CN={name}", "-out", base.with_suffix(".csr"))
        now = datetime.datetime.now(datetime.timezone.utc)
        start, end = (f"{now + datetime.timedelta(days):%y%m%d%H%M%SZ}" for days in (from_days, until_days))
        openssl("ca", "-batch", "-notext", "-config", self.config, "-startdate", start, "-enddate", end,
                "-extfile", extensions, "-in", base.with_suffix(".csr"), "-out", base.with_suffix(".crt"))
        whole = base.with_suffix(".pem")
        whole.write_text(key.read_text() + base.with_suffix(".crt").read_text() + self.path.read_text())
        return whole
