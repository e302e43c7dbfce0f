#!/usr/bin/env python3
"""Finding a monitor: by a process's number, by addresses, by nothing; and what is said when there
is none."""
# ctest: timeout=120
import http.server
import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from command import PYTHON, environment, main
from served import ServedCase

IN_PROCESS = """
#include <stdio.h>
#include <tidemark/monitor.h>
int main(void)
{
  tm_free(tm_heap_default(), TM_RAW, tm_malloc(tm_heap_default(), TM_RAW, 1));
  if (tm_monitor_thread_start(-1))
    return 1;
  puts("ready");
  fflush(stdout);
  return getchar() == 'x';
}
"""


class Source(ServedCase):
    def assertShows(self, process, *arguments):
        self.assertIn(f"process {process.pid} ", self.view("top", "--once", *arguments))

    def test_by_number_and_by_address(self):
        process = self.serve()
        port = process.url.rstrip("/").split(":")[-1]
        for target in (str(process.pid), process.url, process.url.rstrip("/"), f":{port}",
                       f"localhost:{port}"):
            self.assertShows(process, target)

    def test_unix_socket_and_ipv6(self):
        process = self.serve(address=f"unix:{self.path('app.sock')}")
        self.assertShows(process, str(process.pid))
        self.assertShows(process, f"unix:{self.path('app.sock')}")
        if os.path.exists("/proc/sys/net/ipv6/conf/lo/disable_ipv6"):
            with open("/proc/sys/net/ipv6/conf/lo/disable_ipv6", encoding="ascii") as file:
                if file.read().strip() == "0":
                    six = self.serve(address="[::1]:0")
                    self.assertShows(six, str(six.pid))
                    self.assertShows(six, six.url)

    def test_a_monitor_inside_the_program(self):
        source, build = os.environ.get("TIDEMARK_SOURCE"), os.environ.get("TIDEMARK_BUILD")
        if not source or not build:
            print("SKIP: run by ctest, or set TIDEMARK_SOURCE and TIDEMARK_BUILD")
            self.skipTest("no build")
        program = self.compile("host", IN_PROCESS, f"-I{source}/include", f"-L{build}/lib",
                               f"-Wl,-rpath,{build}/lib", "-ltidemark-monitor", "-ltidemark")
        process = subprocess.Popen([program], env=environment(), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        self.assertEqual(process.stdout.readline(), "ready\n")
        self.assertShows(process, str(process.pid))

    def test_other_sockets_of_the_process_are_passed_over(self):
        process = self.serve("import socket, sys\n"
                             "s = [socket.create_server(('127.0.0.1', 0)) for _ in range(3)]\n"
                             "print('ready', flush=True); sys.stdin.read()")
        self.assertShows(process, str(process.pid))

    def test_a_child_does_not_serve(self):
        process = self.serve("import os, sys\npid = os.fork()\n"
                             "if pid: print('ready', flush=True); print(pid, flush=True)\n"
                             "sys.stdin.read()")
        child = process.stdout.readline().strip()
        self.assertComplains(self.tidemark("stat", child), 125, f"process {child} serves nothing")

    def test_what_is_not_there(self):
        idle = subprocess.Popen([PYTHON, "-c", "input()"], stdin=subprocess.PIPE)
        self.addCleanup(self.end, idle)
        for target, words in ((str(idle.pid), "serves nothing; start it by 'tidemark run --serve"),
                              ("4194305", "there is no process"),
                              ("127.0.0.1:1", "nobody listens there"),
                              (f"unix:{self.path('no')}", "nobody listens there")):
            self.assertComplains(self.tidemark("log", target), 125, words)
        for target in ("https://localhost:1", "localhost", "http://a:1/metrics", "a:70000", "a b:1",
                       ":", "unix:", "[::1]", "[::1:5", "u@h:1"):
            self.assertComplains(self.tidemark("log", target), 2)

    def test_another_users_process(self):
        if os.geteuid() != 0:
            print("SKIP: needs root, to be somebody else")
            self.skipTest("needs root")
        os.chmod(self.folder.name, 0o755)
        process = self.serve()
        result = self.tidemark("log", str(process.pid), user="nobody", group="nogroup")
        if b"permission" in result.stderr.lower() and b"tidemark:" not in result.stderr:
            print("SKIP: the build's folder is not readable for others")
            self.skipTest("not readable")
        self.assertComplains(result, 125, "not yours to look into; use sudo, or give the address")

    def answer_with(self, body, status=200):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{server.server_port}"

    def test_servers_that_are_no_monitor(self):
        self.assertComplains(self.tidemark("log", self.answer_with(b"<html>")), 125, "is no JSON")
        self.assertComplains(self.tidemark("log", self.answer_with(b"Go\naway.", 403)), 125,
                             "it answers 403: Go")
        mute = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(mute.close)

        def hang_up():
            connection, _ = mute.accept()
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-x\r\n")
            connection.close()
        threading.Thread(target=hang_up, daemon=True).start()
        self.assertComplains(self.tidemark("log", f":{mute.getsockname()[1]}"), 125,
                             "speaks no HTTP")
        for body in (b"[]", b"{}", b'{"heaps":3,"findings":"x"}', b"[[],1]"):  # strange, but JSON
            place = self.answer_with(body)
            self.view("top", "--once", place)
            self.view("stat", place, "1", "1")
            self.view("log", place)
            self.view("doctor", place)


if __name__ == "__main__":
    main()
