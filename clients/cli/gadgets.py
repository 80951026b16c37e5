"""``echotrain gadgets``: what chains are made of, with the documentation from the code."""

from __future__ import annotations

import typer

gadgets = typer.Typer(name="gadgets", help="List and show gadgets.", no_args_is_help=True)


@gadgets.command("list")
def list_gadgets() -> None:
    """List the gadgets that chains may name."""
    import inspect

    from rich.console import Console
    from rich.table import Table

    from ...engine.gadget import signature
    from ...engine.registry import Registry

    registry = Registry()
    table = Table("gadget", "accepts", "makes", "what it does", box=None)
    for name in registry.names:
        cls = registry.get(name)
        types = signature(cls)
        table.add_row(
            name,
            ", ".join(t.__name__ for t in types.accepts),
            ", ".join(t.__name__ for t in types.makes) or "nothing",
            (inspect.getdoc(cls) or "").partition("\n")[0],
        )
    Console().print(table)


@gadgets.command()
def show(name: str) -> None:
    """Show what a gadget does and each of its fields."""
    import inspect

    from rich.console import Console
    from rich.table import Table

    from ...engine.gadget import signature
    from ...engine.registry import Registry

    registry = Registry()
    cls = registry.get(name)
    types = signature(cls)
    schema = registry.schema(name)
    console = Console()
    console.print(f"[bold]{name}[/bold]\n\n{inspect.getdoc(cls) or ''}\n", highlight=False)
    console.print(f"accepts {', '.join(t.__name__ for t in types.accepts)}", highlight=False)
    console.print(f"makes   {', '.join(t.__name__ for t in types.makes) or 'nothing'}\n", highlight=False)
    table = Table("field", "type", "default", "meaning", box=None)
    for field, entry in schema.get("properties", {}).items():
        default = repr(entry["default"]) if "default" in entry else "required"
        table.add_row(field, _kind(entry), default, entry.get("description", ""))
    console.print(table if table.row_count else "no fields")


def _kind(entry: dict[str, object]) -> str:
    if "enum" in entry and isinstance(entry["enum"], list):
        return " | ".join(repr(value) for value in entry["enum"])
    if "anyOf" in entry and isinstance(entry["anyOf"], list):
        return " or ".join(_kind(option) for option in entry["anyOf"])
    bounds = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    limits = " ".join(f"{sign} {entry[key]}" for key, sign in bounds.items() if key in entry)
    return f"{entry.get('type', entry.get('const', 'any'))} {limits}".strip()
