"""What runs inside the zygote and its children: the standard library only, importable without the package."""
