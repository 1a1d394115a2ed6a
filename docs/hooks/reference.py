"""The reference: a page for every package and module, and one for the commands.

Everything in it is taken from the code when the site is built, so that a new package,
name or option is there by itself.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from cocodesign.cli.main import app
from cocodesign.project import find_project

MARK = "<!-- packages: written when the site is built -->"
COMMANDS_PAGE = "reference/commands.md"
NOT_FOR_IMPORT = ("cli", "panels")  # the command line, and what only notebooks show


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the reference to the navigation."""
    pages = [
        {"Overview": "reference/index.md"},
        {"Commands": COMMANDS_PAGE},
        *({name: f"reference/{name}.md"} for name in module_names(_package(config))),
    ]
    config.nav = [*(config.nav or ()), {"Reference": pages}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, which lie in no folder."""
    texts = {
        f"reference/{name}.md": module_page(name)
        for name in module_names(_package(config))
    }
    texts[COMMANDS_PAGE] = commands_page(typer.main.get_command(app))
    for path, text in texts.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, config: MkDocsConfig, **_context: Any) -> str:
    """Put the list of packages where the page asks for it."""
    if MARK not in markdown:
        return markdown
    return markdown.replace(MARK, modules_table(_package(config)))


def modules_table(package: Path) -> str:
    """Return what each package and module is about, as a table in Markdown."""
    rows = [
        f"| [`cocodesign.{name}`]({name}.md) | {_first_line(package, name)} |"
        for name in module_names(package)
    ]
    return "\n".join(["| package | what |", "|---|---|", *rows])


def module_names(package: Path) -> list[str]:
    """Return the packages and modules below the root that are there to be imported.

    Args:
        package: The folder of the package.

    Returns:
        Their names, sorted. A package that lists no public names is left out.
    """
    modules = {path.stem for path in package.glob("[!_]*.py")}
    packages = {
        path.parent.name
        for path in package.glob("[!_]*/__init__.py")
        if _lists_names(path)
    }
    return sorted((modules | packages).difference(NOT_FOR_IMPORT))


def module_page(name: str) -> str:
    """Return the page of a package or module, to be filled from its docstrings."""
    return f"# `cocodesign.{name}`\n\n::: cocodesign.{name}\n"


def commands_page(root: Any) -> str:
    """Return a section for every command, with its arguments and options.

    Args:
        root: The command line as a tree of commands.

    Returns:
        A page in Markdown.
    """
    lines = ["# Commands", "", "`cocodesign COMMAND --help` says the same.", ""]
    for path, command in _leaves("cocodesign", root):
        lines += [f"## `{path}`", "", command.help or "", ""]
        rows = [_row(parameter) for parameter in command.params]
        if rows:
            lines += ["| argument or option | meaning | default |", "|---|---|---|"]
            lines += [*rows, ""]
    return "\n".join(lines)


def _package(config: MkDocsConfig) -> Path:
    return find_project(Path(config.config_file_path).parent).root / "cocodesign"


def _first_line(package: Path, name: str) -> str:
    """Return how the docstring of a package or module begins."""
    init = package / name / "__init__.py"
    path = init if init.is_file() else package / f"{name}.py"
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].replace("``", "`").replace("|", "\\|")


def _lists_names(init: Path) -> bool:
    """Tell whether a package has ``__all__``, without importing it."""
    return any(
        isinstance(target, ast.Name) and target.id == "__all__"
        for node in ast.parse(init.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
    )


def _leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield the commands below a command that are no groups, with their full names."""
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, each in below.items():
        yield from _leaves(f"{path} {name}", each)


def _row(parameter: Any) -> str:
    """Return a row of a command's table."""
    if parameter.param_type_name == "argument":
        name = parameter.metavar or parameter.name.upper()
    else:
        name = ", ".join(parameter.opts)
        if not getattr(parameter, "is_flag", False):
            name += f" {parameter.metavar or parameter.name.upper()}"
    default = "" if parameter.default in (None, False) else f"`{parameter.default}`"
    if parameter.required:
        default = "required"
    meaning = (parameter.help or "").replace("|", "\\|").replace("<", "&lt;")
    return f"| `{name}` | {meaning} | {default} |"
