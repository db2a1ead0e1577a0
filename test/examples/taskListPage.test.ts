/** The page of the task list in two windows of a real browser. */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Page } from "playwright-core"
import { listFile, serving } from "../support/examples/taskList.js"
import { describeInChromium, openPage } from "../support/http/chromium.js"

/** Whether the page lists these texts; it runs in the page. */
const isListed = (wanted: string): boolean => {
  const { document } = globalThis as unknown as {
    readonly document: { querySelectorAll: (selector: string) => ArrayLike<{ readonly value: string }> }
  }
  const texts = document.querySelectorAll("#tasks input[type=text]")
  return JSON.stringify(Array.from(texts, ({ value }) => value)) === wanted
}

/** A window of a person, as its user works with it. */
const windowOf = (page: Page) => {
  const errors: Array<string> = []
  page.on("pageerror", (error) => errors.push(String(error)))
  const texts = page.locator("#tasks input[type=text]")
  const item = (at: number) => page.locator("#tasks li").nth(at)
  const shown = (selector: string, hasText: string) =>
    Effect.promise(() => page.locator(selector).filter({ hasText }).waitFor())
  return {
    errors,
    shown,
    /** Waits until the page lists these texts. */
    lists: (expected: ReadonlyArray<string>) =>
      Effect.promise(() => page.waitForFunction(isListed, JSON.stringify(expected))),
    add: (text: string) =>
      Effect.promise(async () => {
        await page.getByLabel("new task").fill(text)
        await page.getByRole("button", { name: "add" }).click()
      }),
    edit: (at: number, text: string) =>
      Effect.promise(async () => {
        await texts.nth(at).fill(text)
        await texts.nth(at).blur()
      }),
    hide: (at: number) => Effect.promise(() => item(at).getByLabel("hidden from readers").click()),
    remove: (at: number) => Effect.promise(() => item(at).getByRole("button", { name: "delete" }).click()),
    vote: Effect.promise(() => page.getByRole("button", { name: "vote" }).click()),
    hasVotes: (votes: number) =>
      Effect.promise(() =>
        page
          .getByRole("button", { name: "vote" })
          .filter({ hasText: `+${votes}` })
          .waitFor()
      ),
    addLabel: (label: string) =>
      Effect.promise(async () => {
        await page.getByLabel("new label").fill(label)
        await page.getByLabel("new label").blur()
      }),
    hasLabel: (label: string, state: "visible" | "detached" = "visible") =>
      Effect.promise(() => page.getByRole("button", { name: `remove label ${label}` }).waitFor({ state })),
    removeLabel: (label: string) =>
      Effect.promise(() => page.getByRole("button", { name: `remove label ${label}` }).click()),
    click: (name: string) => Effect.promise(() => page.getByRole("button", { name }).click()),
    reload: Effect.promise(() => page.reload()),
    canEdit: Effect.promise(() => page.locator("#add").isVisible())
  }
}

const opened = (url: string, token: string) => Effect.map(openPage(`${url}/#${token}`), windowOf)

describeInChromium("the page of the task list", () => {
  // One test, because each window starts a browser.
  it.scopedLive("shows two windows the same tasks over a restart, until the link of one is revoked", () =>
    Effect.gen(function* () {
      const file = yield* listFile
      const { named, port, stop, url } = yield* serving(file)
      const [ada, guest] = yield* Effect.all(
        [opened(url, named("ada").token), opened(url, named("guest").token)],
        { concurrency: 2 }
      )
      yield* ada.shown("#state", "live")
      yield* guest.shown("#state", "live")
      yield* ada.shown("#here", "guest")
      yield* ada.add("milk")
      yield* ada.add("<b>bread</b>")
      yield* guest.lists(["milk", "<b>bread</b>"])
      yield* ada.edit(0, "oat milk")
      yield* guest.lists(["oat milk", "<b>bread</b>"])
      yield* ada.hide(1)
      yield* guest.lists(["oat milk"])
      expect([yield* ada.canEdit, yield* guest.canEdit]).toEqual([true, false])
      yield* stop
      yield* guest.shown("#state", "connecting")
      // It is sent until the server is back.
      yield* ada.add("salt")
      yield* serving(file, port)
      yield* guest.lists(["oat milk", "salt"])
      yield* ada.lists(["oat milk", "<b>bread</b>", "salt"])
      yield* ada.remove(0)
      yield* guest.lists(["salt"])
      yield* ada.shown("#share", named("guest").token)
      yield* ada.click("revoke")
      yield* guest.shown("#state", "this link was revoked")
      yield* guest.lists([])
      yield* ada.shown("#share", "there is no read-only link")
      yield* guest.reload
      yield* guest.shown("#state", "this link was revoked")
      yield* guest.lists([])
      expect([ada.errors, guest.errors]).toEqual([[], []])
    })
  )

  it.scopedLive("merges the votes and the labels of two windows, also over a restart", () =>
    Effect.gen(function* () {
      const file = yield* listFile
      const { named, port, stop, url } = yield* serving(file)
      const [ada, bob] = yield* Effect.all(
        [opened(url, named("ada").token), opened(url, named("bob").token)],
        { concurrency: 2 }
      )
      const both = <A>(act: (window: typeof ada) => Effect.Effect<A>) =>
        Effect.all([act(ada), act(bob)], { concurrency: 2 })
      yield* both(({ shown }) => shown("#state", "live"))
      yield* ada.add("milk")
      yield* both(({ lists }) => lists(["milk"]))
      yield* both(({ vote }) => vote)
      yield* both(({ hasVotes }) => hasVotes(2))
      yield* ada.addLabel("cheap")
      yield* both(({ hasLabel }) => hasLabel("cheap"))
      yield* stop
      yield* bob.shown("#state", "connecting")
      // Both are sent when the server is back: bob removes the label as he has seen it, which is not what ada adds.
      yield* ada.addLabel("cheap")
      yield* bob.removeLabel("cheap")
      yield* ada.vote
      yield* bob.addLabel("now")
      yield* serving(file, port)
      yield* both(({ hasVotes }) => hasVotes(3))
      yield* both(({ hasLabel }) => hasLabel("now"))
      yield* both(({ hasLabel }) => hasLabel("cheap"))
      yield* bob.removeLabel("now")
      yield* both(({ hasLabel }) => hasLabel("now", "detached"))
      expect([ada.errors, bob.errors]).toEqual([[], []])
    })
  )
})
