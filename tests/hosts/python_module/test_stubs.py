"""The stub says what is there: names, parameters, defaults, keys of dicts."""
# ctest: timeout=60
import ast
import inspect
import json
import re
import sys

import module
from module import PACKAGE, SOURCE, shimmed

sys.path.append(str(PACKAGE))
import tidemark  # noqa: E402

STUB = ast.parse((SOURCE / "__init__.pyi").read_text(encoding="utf-8"))


def keys(name):
    """The keys of a TypedDict of the stub."""
    found = [node for node in STUB.body if isinstance(node, ast.ClassDef) and node.name == name]
    return {line.target.id for line in found[0].body}


def shape(arguments):
    """[(name, kind, has a default)] of a function in the stub."""
    plain = arguments.posonlyargs + arguments.args
    given = len(plain) - len(arguments.defaults)
    found = [(one.arg, "plain", at >= given) for at, one in enumerate(plain)]
    return found + [(one.arg, "keyword", default is not None)
                    for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults)]


def runtime_shape(function):
    return [(one.name, "keyword" if one.kind is one.KEYWORD_ONLY else "plain",
             one.default is not one.empty)
            for one in inspect.signature(function).parameters.values()]


class Stub(module.Case):
    def functions(self):
        return {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}

    def test_the_names_are_the_same(self):
        declared = set(self.functions()) | {"budget"}
        self.assertEqual(declared, set(tidemark.__all__))
        public = {name for name in vars(tidemark) if not name.startswith("_")}
        self.assertEqual(public, declared)

    def test_the_parameters_are_the_same(self):
        for name, node in self.functions().items():
            self.assertEqual(shape(node.args), runtime_shape(getattr(tidemark, name)), name)
        budget = next(n for n in STUB.body if isinstance(n, ast.ClassDef) and n.name == "budget")
        for node in budget.body:
            self.assertEqual(shape(node.args), runtime_shape(getattr(tidemark.budget, node.name)),
                             node.name)

    def test_defaults_are_the_same(self):
        for name, node in self.functions().items():
            defaults = [ast.literal_eval(one) for one in node.args.kw_defaults if one is not None]
            real = [p.default for p in inspect.signature(getattr(tidemark, name)).parameters.values()
                    if p.kind is p.KEYWORD_ONLY]
            self.assertEqual(defaults, real, name)

    def test_everything_has_a_docstring(self):
        for name in tidemark.__all__:
            self.assertGreater(len(getattr(tidemark, name).__doc__ or ""), 20, name)
        self.assertTrue((PACKAGE / "tidemark" / "py.typed").exists())

    def test_keys_are_what_comes(self):
        run = shimmed("""
            import json
            tidemark.inform("x", 1)
            cycles(100)
            print(json.dumps([tidemark.stats(), tidemark.log()[-1]]))
        """)
        self.assertRan(run)
        stats, event = json.loads(run.out)
        self.assertEqual(keys("Stats") - {"group"}, set(stats))
        self.assertEqual(keys("Event"), set(event))
        self.assertEqual(keys("Pool"), set(stats["pools"][0]))
        self.assertEqual(keys("SizeRow"), set(stats["sizes"][0]))
        self.assertEqual(keys("Tag"), set(stats["tags"][0]))
        self.assertEqual(keys("Action"), set(stats["actions"]["full"]))

    def test_the_version_is_the_librarys(self):
        header = (module.ROOT / "include/tidemark/version.h").read_text(encoding="utf-8")
        version = re.search(r'TM_VERSION_STRING "(.*)"', header).group(1)
        self.assertEqual(tidemark.__version__, version)


if __name__ == "__main__":
    module.main()
