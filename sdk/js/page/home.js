/** The list of locks, the last receipts, and the settings. */
import { html, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { explain, label, limits } from '../src/elements/words.js'
import { accountText, hex, keyId, keyText } from '../src/id.js'
import { decodeTx, txDigest } from '../src/tx.js'

/** @typedef {import('../src/elements/session.js').Session} Session */
/** @typedef {{forget(): void, dismiss(): void, again(): void}} Actions */

/** @type {import('../src/store.js').Entry[]} */
let entries = []

/** Keeps the list of receipts up to date. @param {Session} session @param {() => void} draw */
export function wireHome(session, draw) {
  const read = async () => {
    entries = await session.store.history()
    draw()
  }
  session.addEventListener('history', read)
  session.addEventListener('profile', read)
  void read()
}

/** @param {Session} session @param {{done?: string}} view @param {Actions} actions */
export function home(session, view, actions) {
  const p = session.profile
  if (!p) return nothing
  return html`<section id="home" data-testid="home">
    <h1 tabindex="-1">${p.purpose === 1 ? 'Your locks' : 'Locks you may use'}</h1>
    ${view.done ? html`<div id="done" data-testid="done" class="notice done" role="status"><div><h2>Done</h2><p>${view.done}</p></div>
      <button class="small" @click=${actions.dismiss}>OK</button></div>` : nothing}
    ${notices(session)}
    ${repeat(session.rows, (r) => r.id, (r) => html`<hos-lock device=${r.id}></hos-lock>`)}
    ${session.rows.length ? nothing : html`<div class="card"><p>There is no lock here yet. When the owner pairs one, it appears by itself.</p></div>`}
    ${receipts(session)}
    ${settings(session, actions)}
  </section>`
}

/** @param {Session} session */
function notices(session) {
  /** @type {Record<string, [string, string]>} */
  const words = {
    key_gone: ['The key of this phone is not in the account', 'So the node says. The lock decides; if it refuses too, add this phone again.'],
    grant_gone: ['Your permission was taken back', 'So the node says. The lock decides; if it refuses too, ask the owner.'],
    other_ledger: ['This node follows another ledger', 'Commands from this phone cannot work here. Open the page of your own node.'],
  }
  const w = words[session.notice]
  return html`<div role="status">
    ${session.connected === false ? html`<div class="notice" data-testid="disconnected"><h2>No connection to the node</h2><p>It is tried again by itself. Your key and your receipts are on this phone.</p></div>` : nothing}
    ${w ? html`<div class="notice" data-testid="notice" data-kind=${session.notice}><h2>${w[0]}</h2><p>${w[1]}</p></div>` : nothing}
  </div>`
}

/** @param {Session} session */
function receipts(session) {
  if (entries.length === 0) return nothing
  const name = (/** @type {string} */ id) => session.rows.find((r) => r.id === id)?.device?.name ?? 'A lock'
  return html`<details class="card" id="history" data-testid="history">
    <summary>Last receipts</summary>
    <div><ol class="history">${entries.map((e) => {
      const w = explain({ ...e, state: /** @type {any} */ (e.state), detail: '', receipt: e.state === 'forged' ? null : /** @type {any} */ ({}), again: false })
      return html`<li class=${e.state}>
        <strong>${w.title}</strong>
        <span>${name(e.device)}, ${label(e.method).toLowerCase()}, ${new Date(e.at).toLocaleString()}</span>
        ${e.state === 'forged'
          ? html`<small>No valid signature of the device. Command ${e.command.slice(0, 16)}…</small>`
          : html`<small>${e.code}, height ${e.height}${e.counter ? `, counter ${e.counter}` : ''}, command ${e.command.slice(0, 16)}…, signed by the device, verified on this phone</small>`}
      </li>`
    })}</ol></div>
  </details>`
}

/** @param {Session} session @param {Actions} actions */
function settings(session, actions) {
  const p = /** @type {import('../src/store.js').Profile} */ (session.profile)
  const id = keyText(keyId(p.public))
  const revoke = p.purpose === 1
    ? [`hos key revoke ${id}`]
    : p.grants.map((g) => `hos grant revoke ${hex(txDigest(p.chain, decodeTx(g).raw))}`)
  return html`<details class="card" id="settings" data-testid="settings">
    <summary>This phone</summary>
    <div>
      <dl>
        <dt>Name</dt><dd>${p.label || 'none'}</dd>
        <dt>Key</dt><dd class="mono" id="key-id">${id}</dd>
        <dt>${p.purpose === 1 ? 'Account' : 'Owner'}</dt><dd class="mono">${accountText(p.account)}</dd>
        <dt>Ledger</dt><dd>${p.chainId}</dd>
        <dt>Passkey for</dt><dd>${p.rpId}</dd>
        ${p.grants.map((g) => html`<dt>Permission</dt><dd>${limits(decodeTx(g).body.payload).join('; ')}</dd>`)}
        <dt>Added</dt><dd>${new Date(p.added).toLocaleDateString()}</dd>
      </dl>
      <button id="forget" data-testid="forget" @click=${ask}>Forget this phone…</button>
      <dialog id="forget-dialog" aria-labelledby="forget-title">
        <h2 id="forget-title">Forget this phone?</h2>
        <p>The page forgets its key, its locks and its receipts. To take the right away as well, for instance when a phone is lost, run this on the ${p.purpose === 1 ? '' : 'owner’s '}computer:</p>
        ${revoke.map((c) => html`<code class="command">${c}</code>`)}
        <p class="soft">The passkey itself stays in the phone’s password settings until you delete it there.</p>
        <button id="forget-now" data-testid="forget-now" class="danger" @click=${actions.forget}>Forget now</button>
        <button id="keep" @click=${() => dialog()?.close()}>Keep it</button>
      </dialog>
    </div>
  </details>`
}

const dialog = () => /** @type {HTMLDialogElement | null} */ (document.querySelector('#forget-dialog'))

/** Opens the question with the harmless answer in focus. */
function ask() {
  const d = dialog()
  d?.showModal()
  /** @type {HTMLElement | null | undefined} */
  const keep = d?.querySelector('#keep')
  keep?.focus()
}
