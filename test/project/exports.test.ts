import { describe, expect, it } from "vitest"
import { filesBelow, importsOf, read } from "../support/project.js"
import { exportsOf, listFile, nameOf, publicModules, publicNames } from "./publicNames.js"

const manifest = JSON.parse(read("package.json"))

const packageOf = (specifier: string) =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

describe("package.json", () => {
  it("exports every public module, and nothing else", () => {
    const expected = Object.fromEntries(
      publicModules.map((file) => {
        const name = nameOf(file)
        const target = { types: `./dist/${name}.d.ts`, import: `./dist/${name}.js` }
        return [name === "index" ? "." : `./${name}`, target]
      })
    )
    expect(manifest.exports).toEqual({ ...expected, "./package.json": "./package.json" })
  })

  it("names types before import, since the first condition that matches wins", () => {
    for (const target of Object.values(manifest.exports)) {
      if (typeof target === "object") expect(Object.keys(target as object)).toEqual(["types", "import"])
    }
  })

  it("gathers the core's modules in the root entry, each as a namespace", () => {
    const core = publicModules.filter((file) => file.split("/").length === 2).map(nameOf)
    const code = read("src/index.ts")
    const names = [...code.matchAll(/export \* as (\w+) from "\.\/(\w+)\.js"/g)]
    expect(names.every((match) => match[1] === match[2])).toBe(true)
    expect(names.map((match) => match[1]).sort()).toEqual(core.filter((name) => name !== "index").sort())
  })

  it("needs effect alone, and names as optional peers what the adapters import", () => {
    const imported = new Set(
      filesBelow("src", /\.ts$/)
        .flatMap((file) => importsOf(file, "with types"))
        .filter((specifier) => !/^(\.|node:)/.test(specifier))
        .map(packageOf)
    )
    // Peers that @effect/sql and its drivers ask for, and the client that a user of SqlStorage brings.
    const behind = ["@effect/experimental", "@effect/platform", "@effect/sql-sqlite-node", "pg", "vitest"]
    const peers = Object.keys(manifest.peerDependencies)
    expect([...imported].filter((name) => !peers.includes(name))).toEqual([])
    expect(peers.filter((name) => !imported.has(name) && !behind.includes(name))).toEqual([])
    expect(Object.keys(manifest.peerDependenciesMeta).sort()).toEqual(
      peers.filter((name) => name !== "effect").sort()
    )
    expect(manifest.dependencies).toBe(undefined)
  })

  it("runs no script of its own when it is installed", () => {
    const scripts = ["preinstall", "install", "postinstall", "prepare", "prepublish"]
    expect(scripts.filter((name) => name in manifest.scripts)).toEqual([])
  })
})

describe("the public names", () => {
  it("are those of the list: after a change, `node --import tsx test/project/publicNames.ts` writes it anew", () => {
    expect(publicNames().split("\n")).toEqual(read(listFile).split("\n"))
  })

  it.each(publicModules)("are read from the sources as they are at run time: %s", async (file) => {
    const values = [...exportsOf(file)].filter(([, { kind }]) => /const|class|function|namespace/.test(kind))
    const loaded: object = await import(`../../${file.replace(/\.ts$/, ".js")}`)
    expect(values.map(([name]) => name)).toEqual(Object.keys(loaded).sort())
  })
})
