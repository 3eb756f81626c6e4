"""A Roundcube with its own database, served by PHP, and a browser in front of it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.ports import choose_ports, wait_for_listener
from tests.clients.programs import Program, absent
from tests.clients.served import HOST, Account

INSTALLED = Path("/usr/share/roundcube")
ETC = Path("/etc/roundcube")
PUBLIC = Path("/var/lib/roundcube/public_html")

CONFIG = """<?php
$config['db_dsnw'] = 'sqlite:///{folder}/roundcube.db?mode=0600';
$config['imap_host'] = 'ssl://{host}:{port}';
$config['imap_conn_options'] = ['ssl' => ['verify_peer' => false, 'verify_peer_name' => false]];
$config['imap_debug'] = true;
$config['log_dir'] = '{folder}/logs';
$config['temp_dir'] = '{folder}/temp';
$config['des_key'] = 'twenty-four characters!!';
$config['plugins'] = ['acl', 'archive', 'markasjunk'];
$config['skin'] = 'elastic';
$config['language'] = 'en_US';
$config['enable_installer'] = false;
$config['check_all_folders'] = true;
$config['autoexpand_threads'] = 1;
$config['refresh_interval'] = 60;
"""


@contextmanager
def serving_webmail(php: Program, account: Account) -> Iterator[str]:
    """The address of a Roundcube for the server of *account*, as long as the ``with`` lasts."""
    if not PUBLIC.is_dir():
        absent("Roundcube is not installed (Debian: roundcube-core roundcube-plugins php-sqlite3)")
    folder = php.home
    for name in ("logs", "temp", "config"):
        (folder / name).mkdir()
    config = CONFIG.format(folder=folder, host=HOST, port=account.port("imaps"))
    (folder / "config" / "config.inc.php").write_text(config)
    for name in ("defaults.inc.php", "mimetypes.php"):
        if (ETC / name).is_file():
            shutil.copy(ETC / name, folder / "config")
    with sqlite3.connect(folder / "roundcube.db") as database:
        database.executescript((INSTALLED / "SQL" / "sqlite.initial.sql").read_text())
    database.close()
    (port,) = choose_ports(["http"]).values()
    environment = {**os.environ, "ROUNDCUBE_CONFIG_DIR": str(folder / "config"), "PHP_CLI_SERVER_WORKERS": "4"}
    with (folder / "output").open("wb") as output:
        command = [php.path, "-S", f"{HOST}:{port}", "-t", str(PUBLIC)]
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, start_new_session=True)
    try:
        wait_for_listener(process, port)
        yield f"http://{HOST}:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)
