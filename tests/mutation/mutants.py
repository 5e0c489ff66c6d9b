"""Reads mutants.txt, builds its mutants into a copy of the tree, and runs the tests once for each of them.

mutants.py rewrite COPY                              copies the tree with all mutants in it
mutants.py run --tests FOLDER [--jobs N] [PATTERN]   runs the test programs there for each mutant that matches
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = ROOT / "tests/mutation/mutants.txt"
# The suite of a file's own tests runs first.
FIRST = {"autograd/kernels/": "kernels_test", "autograd/ops/": "ops_test", "autograd/memory/block_cache": "block_cache_test",
         "autograd/": "autograd_test", "layers/": "layers_test", "examples/": "examples_test"}
MOST_MEMORY = 8 << 30  # bytes of address space: some mutants allocate all memory
EDIT = re.compile(r"\{\{((?:(?!\{\{).)*?) ==>(.*?)\}\}(?!\})")


@dataclass
class Mutant:
    number: int
    file: str
    text: str  # as in the list
    line: int  # in the list
    before: str  # the snippet is before + original + after
    original: str
    mutated: str
    after: str
    reason: str = ""  # why no test can notice it

    def __str__(self):
        return f"{self.file}: {self.text}"


def read_list():
    mutants, file = [], None
    for line, text in enumerate(LIST.read_text().splitlines(), 1):
        stripped = text.strip()
        if not stripped or stripped.startswith("# "):
            continue
        if stripped.startswith("[") and stripped.endswith("]"):
            file = stripped[1:-1]
        elif stripped.startswith("survives: "):
            mutants[-1].reason = stripped.removeprefix("survives: ")
        elif (edit := EDIT.search(stripped)) and file:
            # This number does not change when other mutants are added, so their files are not built again.
            number = zlib.crc32(f"{file} {stripped}".encode()) & 0x7FFFFFFF
            mutants.append(Mutant(number, file, stripped, line, stripped[:edit.start()], edit[1].strip(),
                                  edit[2].strip(), stripped[edit.end():]))
        else:
            sys.exit(f"{LIST}:{line}: neither [file] nor a snippet with {{{{original ==> mutated}}}}: {stripped}")
    if len({mutant.number for mutant in mutants} | {0}) <= len(mutants):
        sys.exit(f"{LIST}: a mutant stands there twice")
    return mutants


# ---- The copy with mutants ----

def squeezed(text):
    return "".join(text.split())


def find(mutant, source):
    """Where the mutant's original begins and ends. Neither spaces nor line ends matter. LookupError unless there is
    one such place."""
    places = [i for i, character in enumerate(source) if not character.isspace()]
    text = squeezed(source)
    snippet = squeezed(mutant.before + mutant.original + mutant.after)
    if (count := text.count(snippet)) != 1:
        raise LookupError(f"{LIST}:{mutant.line}: stands {count} times in {mutant.file}, must stand there once: "
                          f"{mutant.text}")
    first = text.index(snippet) + len(squeezed(mutant.before))
    return places[first], places[first + len(squeezed(mutant.original)) - 1] + 1


def switched(mutant, original):
    """What chooses between original and mutant when it runs: an expression, or a statement where the original is one."""
    chosen = f"ADJOINT_MUTANT({mutant.number})"
    if ";" in original and original.endswith((";", "}")):
        return f"{{ if ({chosen}) {{ {mutant.mutated} }} else {{ {original} }} }}"
    return f"({chosen} ? ({mutant.mutated}) : ({original}))"


def rewritten(source, mutants):
    """The source with the mutants in it. One may lie within another's original, which then holds it when it runs."""
    spans = sorted(((*find(mutant, source), mutant) for mutant in mutants), key=lambda span: (span[1], -span[0]))
    done = []  # for each span so far: where it begins, and how much longer it has become
    for begin, end, mutant in spans:
        inner = sum(grown for start, grown in done if start >= begin)
        outer = sum(grown for start, grown in done if start < begin)
        place = slice(begin + outer, end + outer + inner)
        text = switched(mutant, source[place])
        done.append((begin, len(text) - (end - begin) - inner))
        source = source[:place.start] + text + source[place.stop:]
    return source


def check_places(mutants):
    """Ends with all that is wrong, for a change of the code may leave many mutants without a place."""
    problems = []
    for mutant in mutants:
        try:
            find(mutant, (ROOT / mutant.file).read_text())
        except LookupError as error:
            problems.append(str(error))
    if problems:
        sys.exit("\n".join(problems))


def rewrite(copy):
    mutants = read_list()
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            check=True, capture_output=True).stdout.decode().split("\0")
    names = {name for name in listed if name and (ROOT / name).is_file()}
    for mutant in mutants:
        if mutant.file not in names:
            sys.exit(f"{LIST}:{mutant.line}: no such file: {mutant.file}")
    check_places(mutants)
    for name in names:
        content = (ROOT / name).read_bytes()
        in_file = [mutant for mutant in mutants if mutant.file == name]
        if in_file:
            content = rewritten(content.decode(), in_file).encode()
        target = copy / name
        if not target.exists() or target.read_bytes() != content:  # what has not changed is not built again
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            shutil.copymode(ROOT / name, target)
    for old in [path for path in copy.rglob("*") if path.is_file()]:
        if old.relative_to(copy).as_posix() not in names:
            old.unlink()
    print(f"-- {len(mutants)} mutants in {len({mutant.file for mutant in mutants})} files")


# ---- The runs ----

def run_suite(program, number, timeout):
    """None when all tests pass, or what went wrong."""
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            ["prlimit", f"--as={MOST_MEMORY}", "--core=0", program, "--gtest_fail_fast"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=directory, start_new_session=True,
            env=os.environ | {"ADJOINT_MUTANT": str(number), "TMPDIR": directory, "RC_PARAMS": "seed=1"})
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        try:
            os.killpg(process.pid, signal.SIGKILL)  # and the programs that it started
        except ProcessLookupError:
            pass
        process.wait()
        if code == 0:
            return None
        output.seek(0)
        text = output.read().decode(errors="replace")
        if failed := re.search(r"\[  FAILED  \] (\S+?),? ", text):
            return failed[1]
        end = "no end" if code is None else f"exit code {code}" if code > 0 else signal.Signals(-code).name
        begun = re.findall(r"\[ RUN      \] (\S+)", text)
        return f"{begun[-1]} ({end})" if begun else end


def killer_of(mutant, suites, usual_seconds):
    """The test that fails with the mutant, or None."""
    first = next(suite for folder, suite in FIRST.items() if mutant.file.startswith(folder))
    for suite in sorted(suites, key=lambda suite: (suite.name != first, usual_seconds[suite])):
        if failure := run_suite(suite, mutant.number, 30 + 10 * usual_seconds[suite]):
            return f"{suite.name}: {failure}"
    return None


def run(tests, jobs, pattern):
    suites = sorted(tests.glob("*_test"))
    usual_seconds = {}
    for suite in suites:
        start = time.monotonic()
        if failure := run_suite(suite, 0, 1800):
            sys.exit(f"without a mutant {suite.name} fails: {failure}")
        usual_seconds[suite] = time.monotonic() - start
    mutants = [mutant for mutant in read_list() if re.search(pattern, str(mutant))]
    killed = explained = wrong = 0
    print("| mutant | killed by |\n| --- | --- |")
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for mutant, killer in zip(mutants, pool.map(lambda mutant: killer_of(mutant, suites, usual_seconds), mutants)):
            if killer and not mutant.reason:
                verdict = killer
                killed += 1
            elif mutant.reason and not killer:
                verdict = f"none: {mutant.reason}"
                explained += 1
            else:
                verdict = f"{killer}, **although it is listed as one that survives**" if killer else "**none**"
                wrong += 1
            cell = str(mutant).replace("|", "\\|")
            print(f"| `{cell}` | {verdict} |", flush=True)
    print(f"\n{len(mutants)} mutants: {killed} killed, {explained} explained, {wrong} to be looked at")
    return wrong == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("rewrite").add_argument("copy", type=pathlib.Path)
    runner = commands.add_parser("run")
    runner.add_argument("--tests", type=pathlib.Path, required=True)
    runner.add_argument("--jobs", type=int, default=os.cpu_count())
    runner.add_argument("pattern", nargs="?", default="")
    arguments = parser.parse_args()
    if arguments.command == "rewrite":
        rewrite(arguments.copy.resolve())
    elif not run(arguments.tests.resolve(), arguments.jobs, arguments.pattern):
        sys.exit(1)


if __name__ == "__main__":
    main()
