"""Asking a monitored process: by URL, by the path of a unix socket, or by process number."""
import http.client
import json
import os
import socket

TIMEOUT_S = 5


class Unreachable(Exception):
    """Nobody answers there; the text is for people."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(address):
    if address.startswith("unix:"):
        return _UnixConnection(address[len("unix:"):])
    return http.client.HTTPConnection(address, timeout=TIMEOUT_S)


def get(address, path):
    """The JSON at path of the monitor at "host:port" or "unix:/path"."""
    connection = _connection(address)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise Unreachable(f"{address} answers {answer.status}: is that a tidemark monitor?")
        return json.loads(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(f"{address}: {error}") from None
    finally:
        connection.close()


# ---- From a process to its monitor ----------------------------------------------------------

def _inodes(pid):
    """Sockets of a process. The monitor's thread may have a table of descriptors of its own."""
    found = set()
    for task in os.listdir(f"/proc/{pid}/task"):
        folder = f"/proc/{pid}/task/{task}/fd"
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            try:
                link = os.readlink(os.path.join(folder, name))
            except OSError:
                continue
            if link.startswith("socket:["):
                found.add(link[len("socket:["):-1])
    return found


def _rows(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [line.split() for line in file][1:]
    except OSError:
        return []


def _listening(pid, inodes):
    """Addresses on this machine's loopback, and unix sockets, that those sockets listen on."""
    for row in _rows(f"/proc/{pid}/net/tcp"):
        host, port = row[1].split(":")
        if row[3] == "0A" and row[9] in inodes and host in ("0100007F", "00000000"):
            yield f"127.0.0.1:{int(port, 16)}"
    for row in _rows(f"/proc/{pid}/net/tcp6"):
        host, port = row[1].split(":")
        if row[3] == "0A" and row[9] in inodes and host == "0" * 24 + "01000000":
            yield f"[::1]:{int(port, 16)}"
    for row in _rows(f"/proc/{pid}/net/unix"):
        if len(row) > 7 and row[6] in inodes and row[3] == "00010000" and row[7].startswith("/"):
            yield "unix:" + row[7]


def _of_process(pid):
    try:
        inodes = _inodes(pid)
    except FileNotFoundError:
        raise Unreachable(f"there is no process {pid}") from None
    except PermissionError:
        inodes = set()
    for address in _listening(pid, inodes):
        try:
            if get(address, "/stats.json")["process"]["pid"] == int(pid):
                return address
        except (Unreachable, KeyError, TypeError):
            continue
    raise Unreachable(f"process {pid} serves nothing that this user can see: start it with "
                      "`tidemark run --serve`, or call tidemark.monitor() in it")


def find(target):
    """The address of a monitor: "host:port" or "unix:/path"."""
    if target.isdigit():
        return _of_process(target)
    if target.startswith("unix:"):
        return target
    if target.startswith("/") or (os.path.exists(target) and ":" not in target):
        return "unix:" + os.path.abspath(target)
    if target.startswith("http://"):
        target = target[len("http://"):]
    return ("127.0.0.1" + target if target.startswith(":") else target).rstrip("/")
