import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

/** The folder that holds package.json. */
export const root = fileURLToPath(new URL("../..", import.meta.url))

/** Arguments for Node.js to run a TypeScript file, its worker threads included. */
export const typescript = ["--import", "tsx", "--import", "./test/support/processes/workers.mjs"]

/** Every file below a folder of the project, by its path from the root, with forward slashes. */
export const filesBelow = (folder: string, pattern: RegExp): ReadonlyArray<string> => {
  if (!fs.existsSync(path.join(root, folder))) return []
  return fs
    .readdirSync(path.join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const at = `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        return entry.name === "node_modules" || entry.name === ".tmp" ? [] : filesBelow(at, pattern)
      }
      return pattern.test(entry.name) ? [at] : []
    })
    .sort()
}

export const read = (file: string): string => fs.readFileSync(path.join(root, file), "utf8")

/** The code without its comments; comment marks inside strings are rare enough here to be cut as well. */
export const withoutComments = (code: string): string =>
  code.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`])\/\/.*$/gm, "$1")

/** What a file imports at run time (and, with `types`, what it imports as types only). */
export const importsOf = (file: string, types: "with types" | "without types"): ReadonlyArray<string> => {
  const code = withoutComments(read(file))
  const found: Array<string> = []
  for (const match of code.matchAll(
    /\b(import|export)\b(\s+type\b)?[^"'`;=()]*?\bfrom\s*["']([^"']+)["']/g
  )) {
    if (match[2] === undefined || types === "with types") found.push(match[3] ?? "")
  }
  for (const match of code.matchAll(/\bimport\s*\(?\s*["']([^"']+)["']/g)) found.push(match[1] ?? "")
  for (const match of code.matchAll(/\bnew URL\(\s*["'](\.[^"']+)["']/g)) found.push(match[1] ?? "")
  return found
}

/** The project's own file behind an import, or undefined for a package. */
export const resolveOwn = (from: string, specifier: string): string | undefined => {
  if (specifier === "effect-recorder") return "src/index.ts"
  if (specifier.startsWith("effect-recorder/")) return `src/${specifier.slice("effect-recorder/".length)}.ts`
  if (!specifier.startsWith(".")) return undefined
  const at = path.posix.join(path.posix.dirname(from), specifier)
  return [at.replace(/\.js$/, ".ts"), at, `${at}.ts`].find((name) => {
    const full = path.join(root, name)
    return fs.existsSync(full) && fs.statSync(full).isFile()
  })
}
