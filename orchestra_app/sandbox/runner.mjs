// Loads Pyodide from a local folder, says "ready", then runs one program from standard input and exits with its
// status. Deno's permissions are the boundary: the program can reach everything here, and nothing else.

const [folder] = Deno.args;
const write = (stream) => ({ write: (bytes) => stream.writeSync(bytes), isatty: false });

const { loadPyodide } = await import(new URL("pyodide.mjs", `file://${folder}/`).href);
const pyodide = await loadPyodide({ indexURL: `${folder}/` });
const names = await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name);
for (const name of names.filter((name) => name.endsWith("-none-any.whl"))) {
  pyodide.unpackArchive(await Deno.readFile(`${folder}/${name}`), "wheel");
}
if (names.some((name) => name.startsWith("numpy-"))) {
  await pyodide.loadPackage("numpy", { messageCallback: () => {} });
}
pyodide.runPython(`
import importlib.util
for name in ("numpy", "sympy"):
    if importlib.util.find_spec(name):
        importlib.import_module(name)
`);
pyodide.setStdin({ stdin: () => null });
pyodide.setStdout(write(Deno.stdout));
pyodide.setStderr(write(Deno.stderr));
Deno.stdout.writeSync(new TextEncoder().encode("ready\n"));

const program = await new Response(Deno.stdin.readable).text();
pyodide.FS.writeFile("/program.py", program);
Deno.exit(
  pyodide.runPython(`
def _run():
    import sys, traceback, types
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    source = open("/program.py", "rb").read()
    try:
        exec(compile(source, "<code>", "exec"), module.__dict__)
        return 0
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            return (leaving.code or 0) & 255
        print(leaving.code, file=sys.stderr)
    except BaseException as error:
        traceback.print_exception(type(error), error, error.__traceback__.tb_next)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 1
_run()
`),
);
