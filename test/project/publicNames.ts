/**
 * Every public name, read from the sources: what each public module exports, and the members of what it exports. After
 * a change of a name write the list anew: `node --import tsx test/project/publicNames.ts`.
 */
import { existsSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { filesBelow, read, root } from "../support/project.js"

/** A declaration of a module, wherever it stands. */
export interface Declared {
  /** `const`, `class`, `interface`, `type`, or two of these. */
  readonly kind: string
  readonly members: ReadonlyArray<string>
}

export const publicModules: ReadonlyArray<string> = ["src", "src/sql", "src/platform", "src/testing"]
  .flatMap((folder) => filesBelow(folder, /\.ts$/).filter((file) => dirname(file) === folder))
  .sort()

/** The module as its users name it. */
export const nameOf = (file: string): string => file.slice("src/".length, -".ts".length)

const blank = (text: string): string => text.replace(/[^\n]/g, " ")

// Comments, strings (templates without nested ones), and regular expressions where an operand stands.
const hidden =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|(?<=[(,=:[!&|?{};]\s*)\/(?![*/])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/\w*/g

/** The code of a file with comments and the insides of strings blanked out; every place stays where it is. */
const codeOf = (source: string): string =>
  source.replace(hidden, (text) => (/^["'`]/.test(text) ? `"${blank(text.slice(2))}"` : blank(text)))

interface Source {
  readonly file: string
  readonly source: string
  readonly code: string
}

const sources = new Map<string, Source>()

const sourceOf = (file: string): Source => {
  const known = sources.get(file)
  if (known !== undefined) return known
  const source = read(file)
  const made = { file, source, code: codeOf(source) }
  sources.set(file, made)
  return made
}

interface Import {
  /** The name there, or `*`. */
  readonly name: string
  /** The file there; none of a package. */
  readonly file: string | undefined
}

const fileOf = (from: string, specifier: string): string | undefined => {
  if (!specifier.startsWith(".")) return undefined
  const file = join(dirname(from), specifier).replace(/\.js$/, ".ts")
  if (!existsSync(join(root, file))) throw new Error(`${from} imports ${specifier}, which is not there`)
  return file
}

const listed = (list: string): ReadonlyArray<readonly [name: string, as: string]> =>
  list
    .split(",")
    .map((each) => each.trim().replace(/^type /, ""))
    .filter((each) => each !== "")
    .map((each) => {
      const [name, as] = each.split(" as ")
      return [name!, as ?? name!]
    })

/** Names that a file gets from another, by statements that begin with `keyword`. */
const linksOf = ({ code, file, source }: Source, keyword: "import" | "export"): Map<string, Import> => {
  const links = new Map<string, Import>()
  const statement = new RegExp(`^${keyword} (?:type )?(?:\\{([^}]*)\\}|\\* as (\\w+)) from (?=")`, "gm")
  for (const match of code.matchAll(statement)) {
    const specifier = /^"([^"]*)"/.exec(source.slice(match.index + match[0].length))![1]!
    const target = fileOf(file, specifier)
    if (match[2] !== undefined) links.set(match[2], { name: "*", file: target })
    for (const [name, as] of listed(match[1] ?? "")) links.set(as, { name, file: target })
  }
  return links
}

const declaration = /^(export )?(?:declare )?(const|class|function|interface|type) (\w+)/gm

/** The text of a top-level declaration: until the next line that begins one, or another statement. */
const extent = (code: string, from: number): string => {
  const rest = code.slice(from)
  const next = rest.search(/\n[a-z]/)
  return next === -1 ? rest : rest.slice(0, next)
}

/** The names that stand right inside of the first braces of a text. */
const namesInside = (text: string): ReadonlyArray<string> => {
  const names: Array<string> = []
  let depth = 0
  for (const line of text.split("\n")) {
    const member = depth === 1 ? /^\s+(?:readonly )?(\w+)(?=\??:|\(|<|,|$)/.exec(line) : null
    if (member !== null) names.push(member[1]!)
    for (const each of line) {
      if ("{([".includes(each)) depth++
      else if ("})]".includes(each)) depth--
    }
  }
  return names
}

const strings = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/"(\w+)"/g)].map(([, name]) => name!)

/** The members that an interface has from `extends`. */
const inherited = (from: Source, clause: string): ReadonlyArray<string> =>
  [...clause.matchAll(/(?:(Omit|Pick)<)?([A-Z]\w*)(?:<[^<>"]*>)?((?:,? \|? ?"\w+")*)/g)].flatMap(
    ([, change, name, list]) => {
      const members = declaredIn(from, name!)?.members ?? []
      const named = strings(list ?? "")
      if (change === "Omit") return members.filter((member) => !named.includes(member))
      return change === "Pick" ? members.filter((member) => named.includes(member)) : members
    }
  )

/** Where the body of an interface begins, and what it extends: both stand outside of type arguments. */
const headOf = (code: string): { readonly body: number; readonly extending: number | undefined } => {
  let depth = 0
  let extending: number | undefined
  for (let at = 0; at < code.length; at++) {
    if (code[at] === "<") depth++
    else if (code[at] === ">" && code[at - 1] !== "=") depth--
    else if (depth > 0) continue
    else if (code[at] === "{") return { body: at, extending }
    else if (/^\sextends\s/.test(code.slice(at, at + 9))) extending ??= at + 9
  }
  throw new Error(`an interface without a body: ${code.slice(0, 80)}`)
}

const membersOf = (from: Source, kind: string, at: number): ReadonlyArray<string> => {
  const code = extent(from.code, at)
  switch (kind) {
    case "interface": {
      const { body, extending } = headOf(code)
      const clause = extending === undefined ? "" : from.source.slice(at + extending, at + body)
      return [...inherited(from, clause), ...namesInside(code.slice(body))]
    }
    case "const": {
      // A record of values, such as `Query`; what has a type of its own has its members there.
      const literal = /^(?:export )?const \w+ = \{/.exec(code)
      return literal === null ? [] : namesInside(code.slice(literal[0].length - 1))
    }
    case "class":
    case "type":
      return [...code.matchAll(/readonly (\w+)\??:/g)].map(([, name]) => name!)
    default:
      return []
  }
}

/** What a name is in a file: declared there, as a value, a type or both, imported, or given on. */
const declaredIn = (from: Source, name: string): Declared | undefined => {
  const own = [...from.code.matchAll(declaration)]
    .filter((match) => match[3] === name)
    .map(({ 2: kind, index }) => ({ kind: kind!, members: membersOf(from, kind!, index) }))
  if (own.length > 0) {
    const kinds = new Set(own.map(({ kind }) => kind))
    return { kind: [...kinds].join(" and "), members: own.flatMap(({ members }) => members) }
  }
  const link = linksOf(from, "export").get(name) ?? linksOf(from, "import").get(name)
  if (link?.file === undefined) return undefined
  return link.name === "*" ? { kind: "namespace", members: [] } : declaredIn(sourceOf(link.file), link.name)
}

/** What a module exports, by name. A value and a type of one name are one. */
export const exportsOf = (file: string): ReadonlyMap<string, Declared> => {
  const from = sourceOf(file)
  const own = [...from.code.matchAll(declaration)].filter(([, exported]) => exported !== undefined)
  const names = new Set([...own.map((match) => match[3]!), ...linksOf(from, "export").keys()])
  const found = new Map<string, Declared>()
  for (const name of [...names].sort()) {
    const declared = declaredIn(from, name)
    if (declared === undefined) throw new Error(`${file} exports ${name}, which is declared nowhere`)
    found.set(name, declared)
  }
  return found
}

const lines = function* () {
  for (const file of publicModules) {
    const module = nameOf(file)
    for (const [name, { kind, members }] of exportsOf(file)) {
      yield `${module}.${name} ${kind}`
      for (const member of [...new Set(members)].sort()) yield `${module}.${name}.${member}`
    }
  }
}

/** The list, as it stands in `publicNames.txt`. */
export const publicNames = (): string => `${[...lines()].join("\n")}\n`

export const listFile = "test/project/publicNames.txt"

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(root, listFile), publicNames())
