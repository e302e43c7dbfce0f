"""monitor(): the URL answers, from a thread that Python does not see."""
# ctest: timeout=120
import module


class Monitor(module.Case):
    def test_the_url_answers(self):
        self.both("""
            import threading, urllib.request
            url = tidemark.monitor()
            assert url == tidemark.monitor() and threading.active_count() == 1
            cycles(60)
            for path, word in (("metrics", "tidemark_"), ("stats.json", "footprint_bytes"),
                               ("log.json", "verdict"), ("healthz", "ok"), ("", "<html")):
                with urllib.request.urlopen(url + path, timeout=10) as answer:
                    assert word in answer.read().decode().lower(), path
            tidemark.monitor_stop()
            try:
                urllib.request.urlopen(url, timeout=10)
            except OSError:
                print("gone")
            tidemark.monitor_stop()
            again = tidemark.monitor()
            with urllib.request.urlopen(again + "healthz", timeout=10) as answer:
                print(answer.status)
        """, "gone\n200\n")

    def test_a_port_of_ones_own(self):
        self.both("""
            import socket
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0)); taken.listen()
                port = taken.getsockname()[1]
                try:
                    tidemark.monitor(port=port)
                except OSError as error:
                    assert str(port) in str(error), error
            url = tidemark.monitor(port=0)
            mine = int(url.rsplit(":", 1)[1][:-1])
            print(tidemark.monitor(port=mine) == url)
            for wrong in (port, -1, 70000):
                try:
                    tidemark.monitor(port=wrong)
                except OSError:
                    print("refused")
        """, "True\n" + "refused\n" * 3)

    def test_a_child_has_its_own(self):
        self.both("""
            import os, urllib.request
            url = tidemark.monitor()
            if os.fork() == 0:
                mine = tidemark.monitor()
                with urllib.request.urlopen(mine + "healthz", timeout=10) as answer:
                    os._exit(0 if mine != url and answer.status == 200 else 9)
            print(os.wait()[1])
            with urllib.request.urlopen(url + "healthz", timeout=10) as answer:
                print(answer.status)
        """, "0\n200\n")

    def test_it_does_not_hold_the_end(self):
        self.both("tidemark.monitor()", "")


if __name__ == "__main__":
    module.main()
