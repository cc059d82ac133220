#!/usr/bin/env python3
"""Writes what jinja2 renders of chat templates, set up as transformers 5 sets it up: what the Rust is compared with.

Usage: templates.py FOLDER OUT.json         the templates and constructs of prover/src/model/tests/templates
       templates.py --random SEED COUNT     random templates, as JSON on stdout
Needs jinja2 3.1.6; `make templates` installs it into target/venv.

Sections of constructs.txt: `data` is rendered behind PRELUDE, `plain` as it stands (<CR> is a carriage return); `fails` jinja2
must refuse, and so must we; of `refused` the first line names what we refuse and jinja2 renders.
"""
import copy
import datetime
import json
import pathlib
import random
import sys
import warnings

import jinja2
import jinja2.ext
import jinja2.sandbox

TODAY = datetime.datetime(2024, 7, 26)
PRELUDE = ("{% set n, f, l, d, e, z, s = 7, 2.5, [3, 1, 2], {'a': 1, 'b': {'c': [1, 2]}, 'items': 5}, '', [], 'a-b-c' %}")
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def chat(*turns):
    return [{"role": role, "content": content} for role, content in turns]


CHATS = [
    chat(("user", "Hi")),
    chat(("system", "Be brief."), ("user", "What is <b>2+2</b> & 'x'?\n")),
    chat(("user", "a"), ("assistant", "b\n"), ("user", " c ")),
    chat(("system", " s "), ("user", "1"), ("assistant", "<think>hm</think>\n 2"), ("user", "3"), ("assistant", "4"), ("user", "5")),
    chat(("user", "日本 é \u2028 {{x}} <|im_end|>")),
    chat(("system", "x"), ("assistant", "y")),
    chat(("system", " Be <b>brief</b>.\n"), ("user", "Hi & \"you\" 'all'"), ("assistant", "Hello\n\nthere"), ("user", "äöü 日本 ?")),
]
# The last one is for constructs and random templates.
CONSTRUCTS = len(CHATS) - 1


class Tracker(jinja2.ext.Extension):
    """The tag `generation` of transformers, which writes its body."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


class Namespace(jinja2.utils.Namespace):
    """Without names that begin with an underscore, as in transformers."""

    def __init__(*args, **kwargs):
        names = dict(*args[1:], **kwargs)
        for name in names:
            Namespace.check(name)
        jinja2.utils.Namespace.__init__(args[0], names)

    def __setitem__(self, name, value):
        Namespace.check(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def check(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(name)


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Tracker, jinja2.ext.loopcontrols]
    )

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env.filters["tojson"] = tojson
    env.globals.update(raise_exception=raise_exception, strftime_now=TODAY.strftime, namespace=Namespace)
    return env


ENVIRONMENT = environment()


def case(template, chat, add=True, **more):
    """A template with what it gives for a conversation; None if jinja2 refuses it."""
    variables = {"messages": copy.deepcopy(CHATS[chat]), "tools": None, "documents": None, "add_generation_prompt": add}
    try:
        rendered = ENVIRONMENT.from_string(template).render(**variables, **TOKENS)
    except Exception:
        rendered = None
    return {"template": template, "chat": chat, "add": add, "rendered": rendered, **more}


def fixture(folder):
    cases = []
    for path in sorted(folder.glob("*.jinja")):
        template = path.read_bytes().decode()
        made = [case(template, chat, add) for chat in range(CONSTRUCTS) for add in (True, False)]
        # The test reads the file.
        cases += [{**case, "template": None, "file": path.name} for case in made]
    sections = (folder / "constructs.txt").read_text("utf-8").split("\n#### ")[1:]
    for name, _, text in (section.partition("\n") for section in sections):
        for construct in text.removesuffix("\n").split("\n----\n"):
            refused = None
            if name == "refused":
                refused, _, construct = construct.partition("\n")
            template = (PRELUDE if name in ("data", "fails") else "") + construct.replace("<CR>", "\r")
            cases.append(case(template, CONSTRUCTS, refused=refused))
            if (cases[-1]["rendered"] is None) != (name == "fails"):
                raise SystemExit(f"templates.py: jinja2 gives {cases[-1]['rendered']!r}, in section {name}: {construct}")
            if refused:
                # It may not even be Unicode.
                cases[-1]["rendered"] = None
    return cases


# Random templates of what is above, and of what neither side should take.
NAMES = "messages tools add_generation_prompt bos_token n f l d e z s u t undef x y m loop ns k".split()
METHODS = """upper() lower() strip() lstrip() rstrip() strip('a-') split('-') split() split('-',1) rsplit('-',1)
startswith('a') endswith(('c','x')) replace('a','bb') title() capitalize() find('b') count('-') items() keys() values()
get('a') get('q','dd') get(n) index(1) splitlines() join(['p','q']) partition('-') removeprefix('a') isdigit() isalpha()
isupper() format(1) format(n,k=2) append(1) pop() role content a b c items nokey copy() zfill(3) rstrip('\\n') index('q')
rfind('-')""".split()
FILTERS = """upper lower trim length count first last join join(',') join('-',attribute='role') list sort sort(reverse=true)
sort(attribute='role') reverse unique max min sum default('D') default('D',true) d tojson tojson(indent=2)
tojson(separators=(',',':')) tojson(sort_keys=true) tojson(ensure_ascii=true) int int(3) float round round(1) abs string
safe e escape title capitalize replace('a','b') replace('a','bb',1) indent indent(2,true) indent('>') map('upper')
map(attribute='role') map('length') map(attribute='a',default=0) select select('string') reject('none')
selectattr('role','equalto','user') rejectattr('role') selectattr('role','in',['user']) dictsort dictsort(by='value')
items trim('a') batch(2) groupby('role') center(9) wordcount format(1) attr('role') select('odd') map('replace','a','b')
map('first') unique|list reverse|list map('string')|list select|list e|upper safe|upper""".split()
TESTS = """defined undefined none string number integer float boolean mapping sequence iterable callable true false odd even
divisibleby(3) in([1,'a',none]) eq(1) ne('a') lt(3) gt(1) sameas(none) sameas(n) lower upper escaped equalto('user')""".split()
LITERALS = """0 1 2 -1 3 10 1.5 0.0 2.0 'a' 'b' '' ' ' 'abc' 'a-b' "it's" '\\n' 'x\\ty' '<b>' true false none True None []
[1,2] ['a','b'] [1,'a',none] {} {'a':1} {'b':[1],'a':'x'} () (1,) (1,'a') [[1,2],[3]] 1e3 0x10 'é日' 'ß' range(3)
range(1,8,3) '{}' '{0}-{k}'""".split(" ")
LITERALS = [literal for part in LITERALS for literal in part.split("\n") if literal]
OPERATORS = "+ - * / // % ** ~ == != < > <= >= in and or".split() + ["not in"]
INDICES = ["0", "-1", "1", ":", "1:", "::-1", ":-1", "::2", "1:3", "n", "'a'", "'role'", "'items'", "-2:", "5:1:-2"]


class Maker:
    """Makes random templates."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, *values):
        return self.r.choice(values)

    def operand(self, depth):
        inner = self.expression(depth + 1)
        return inner if self.r.random() < 0.4 else f"({inner})"

    def expression(self, depth=0):
        if depth > 3 or self.r.random() < 0.22:
            return self.r.choice(NAMES)
        return self.r.choice([
            lambda: self.r.choice(LITERALS),
            lambda: self.r.choice(LITERALS),
            lambda: f"{self.operand(depth)}.{self.r.choice(METHODS)}",
            lambda: f"{self.operand(depth)}|{self.r.choice(FILTERS)}",
            lambda: f"{self.operand(depth)}|{self.r.choice(FILTERS)}",
            lambda: f"{self.operand(depth)} is {self.pick('', 'not ')}{self.r.choice(TESTS)}",
            lambda: f"{self.operand(depth)} {self.r.choice(OPERATORS)} {self.operand(depth)}",
            lambda: f"{self.operand(depth)} {self.r.choice(OPERATORS)} {self.operand(depth)}",
            lambda: f"{self.operand(depth)}[{self.r.choice(INDICES)}]",
            lambda: f"{self.operand(depth)}[{self.expression(depth + 1)}]",
            lambda: f"{self.expression(depth + 1)} if {self.expression(depth + 1)} else {self.expression(depth + 1)}",
            lambda: f"{self.pick('not ', '-')}{self.operand(depth)}",
            lambda: f"[{self.expression(depth + 1)}, {self.expression(depth + 1)}]",
            lambda: f"namespace(a={self.expression(depth + 1)})",
            lambda: f"m({self.expression(depth + 1)}, b={self.expression(depth + 1)})",
            lambda: f"loop.{self.pick('index', 'first', 'last', 'length', 'previtem', 'nextitem', 'changed(1)', 'cycle(1,2)')}",
        ])()

    def space(self):
        return self.pick("", "", " ", "\n", "\n  ", "  ", "\n\n", "\t", "a\n  b ", "x", " \n")

    def tag(self, body):
        return "{%" + self.pick("", "", "-", "+") + f" {body} " + self.pick("", "", "-", "+") + "%}"

    def output(self, expression):
        return "{{" + self.pick("", "", "-") + f" {expression} " + self.pick("", "", "-") + "}}"

    def statement(self, depth, in_loop):
        kinds = [lambda: self.output(self.expression(1))] * 4 + [
            lambda: self.tag(f"set {self.pick('x', 'y', 'k', 'x, y', 'ns.a')} = {self.expression(1)}"),
            lambda: self.pick("text", "{# c #}", "{#- c -#}", "{% raw %} {{ x }} {% endraw %}", "{%- raw -%} y {%- endraw -%}"),
            lambda: self.tag(f"set ns = namespace(a={self.expression(2)}, b=[])"),
        ]
        if in_loop:
            kinds.append(lambda: self.tag(self.pick("break", "continue")))
        if depth < 3:
            kinds += [lambda: self.branch(depth, in_loop)] * 2 + [lambda: self.loop(depth, in_loop)] * 3 + [
                lambda: self.block(f"set x{self.pick('', ' | upper', ' | trim | length')}", "endset", depth, in_loop),
                lambda: self.block(f"with x = {self.expression(1)}", "endwith", depth, in_loop),
                lambda: self.block(f"filter {self.pick('upper', 'trim', 'length', 'indent')}", "endfilter", depth, in_loop),
                lambda: self.block(f"call{self.pick('', '(p)')} m({self.expression(2)})", "endcall", depth, False),
                lambda: self.block("generation", "endgeneration", depth, False),
                lambda: self.block(f"macro m(a, b={self.expression(2)})", "endmacro", depth, False)
                + self.pick("", self.output("m(1)")),
            ]
        return self.space() + self.r.choice(kinds)() + self.space()

    def body(self, depth, in_loop):
        extra = self.pick("", "", "", "{{ a }}", "{{ caller() if caller else 1 }}", "{{ varargs }}")
        return "".join(self.statement(depth + 1, in_loop) for _ in range(self.r.randint(0, 3))) + extra

    def block(self, head, end, depth, in_loop):
        return self.tag(head) + self.body(depth, in_loop) + self.tag(end)

    def branch(self, depth, in_loop):
        text = self.tag(f"if {self.expression(1)}") + self.body(depth, in_loop)
        if self.r.random() < 0.3:
            text += self.tag(f"elif {self.expression(1)}") + self.body(depth, in_loop)
        if self.r.random() < 0.5:
            text += self.tag("else") + self.body(depth, in_loop)
        return text + self.tag("endif")

    def loop(self, depth, in_loop):
        target = self.pick("x", "k", "x, y", "y", "k, x")
        values = self.pick("messages", "l", "d.items()", "range(3)", "d", self.expression(1))
        more = self.pick("", "", f" if {self.expression(2)}") + self.pick("", "", "", " recursive")
        text = self.tag(f"for {target} in {values}{more}") + self.body(depth, True)
        if self.r.random() < 0.2:
            text += self.tag("else") + self.body(depth, in_loop)
        return text + self.tag("endfor")

    def template(self):
        if self.r.random() < 0.5:
            return PRELUDE + self.output(self.expression())
        macro = self.pick("", "{% macro m(a, b=1) %}[{{ a }}{{ b }}]{% endmacro %}")
        return PRELUDE + macro + "".join(self.statement(0, False) for _ in range(self.r.randint(1, 5)))


def write(cases, file):
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    file.write(f'{{"chats": {json.dumps(CHATS, ensure_ascii=False)},\n"cases": [\n{lines}\n]}}\n')


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--random":
        # Python has its own opinions on some of them.
        warnings.simplefilter("ignore")
        maker = Maker(int(sys.argv[2]))
        write([case(maker.template(), CONSTRUCTS) for _ in range(int(sys.argv[3]))], sys.stdout)
        return 0
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    cases = fixture(pathlib.Path(sys.argv[1]))
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        write(cases, file)
    print(f"{len(cases)} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
