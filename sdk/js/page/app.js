/**
 * The page of a phone. One state (`view`) decides what is shown; everything is
 * drawn anew from it. The elements do the rest.
 */
import { html, nothing, render } from 'lit'
import '../src/elements/index.js'
import { HosError } from '../src/error.js'
import { accountText, keyId, keyText } from '../src/id.js'
import { parseFragment } from '../src/phone.js'
import { Adding } from './add.js'
import { localhostOf, unfit } from './place.js'
import { home, wireHome } from './home.js'
import { problemOf } from './problem.js'

/** @typedef {import('../src/elements/session.js').Session} Session */

const main = /** @type {HTMLElement} */ (document.querySelector('#app'))
const spoken = /** @type {HTMLElement} */ (document.querySelector('#say'))

/** What is shown. @type {any} */
let view = { name: 'loading' }
/** @type {Session | null} */
let session = null
/** @type {Adding | null} */
let adding = null

/** Shows a view; a new one gets the focus, so that a screen reader reads it. @param {any} next */
function show(next) {
  const other = next.name !== view.name
  view = next
  draw()
  if (!other) return
  window.scrollTo(0, 0)
  const title = /** @type {HTMLElement | null} */ (main.querySelector('h1'))
  title?.focus({ preventScroll: true })
}

function draw() {
  render(html`<hos-provider @hos-ready=${ready} @hos-problem=${broken} @hos-outcome=${used}>${(views[view.name] ?? views.loading)()}</hos-provider>`, main)
}

/** @param {string} text for screen readers */
const say = (text) => { spoken.textContent = text }

/** @type {Record<string, () => any>} */
const views = {
  loading: () => html`<p class="soft">Loading…</p>`,
  noKey,
  offer,
  waiting,
  confirm,
  home: () => home(/** @type {Session} */ (session), view, { forget, dismiss: () => show({ name: 'home' }), again: draw }),
  problem,
  half,
  unfit: () => unfitPlace(view.reason),
}

function noKey() {
  return html`<section id="no-key" data-testid="no-key">
    <h1 tabindex="-1">Make this phone a key</h1>
    <p class="lead soft">This page turns your phone into a key for locks. The key never leaves the phone, and nobody between you and the lock can use it.</p>
    <div class="card">
      <h2>To begin</h2>
      <p>The owner of the lock runs this on the computer with the wallet, then you scan the code with this phone’s camera:</p>
      <code class="command">hos key add-phone</code>
      <p class="soft">For a guest’s phone it is <code>hos grant add … --phone</code>.</p>
    </div>
  </section>`
}

function steps(/** @type {number} */ at) {
  const n = adding?.own === false ? 2 : 3
  return html`<ol class="steps" aria-label=${`Step ${at} of ${n}`}>${Array.from({ length: n }, (_, i) => html`<li class=${i < at ? 'past' : ''}></li>`)}</ol>`
}

function offer() {
  const { offer: o, error, busy } = view
  const own = o.purpose === 1
  return html`<section id="offer" data-testid="offer">
    ${steps(1)}
    <h1 tabindex="-1">${own ? 'Add this phone to your account' : 'You are invited as a guest'}</h1>
    <p class="lead soft">${own
      ? 'This phone will be able to open your locks. It can never give rights to others, transfer a lock or change your keys.'
      : 'This phone will be able to do what the owner allows, until it ends or is taken back.'}</p>
    ${session?.profile ? html`<p class="notice">This phone already has a key. If you go on, the new one takes its place on this page.</p>` : nothing}
    ${error ? html`<div class="notice" role="alert"><h2>${error.title}</h2><p>${error.text}</p></div>` : nothing}
    <form class="card" @submit=${create}>
      ${o.devices.length ? html`<h2>${o.devices.length === 1 ? 'Lock' : 'Locks'}</h2>
        <ul>${o.devices.map((/** @type {any} */ d) => html`<li>${d.name} <span class="soft">${d.model === d.name ? '' : d.model}</span></li>`)}</ul>` : nothing}
      <label for="label">Name of this phone</label>
      <input id="label" data-testid="label" name="label" maxlength="40" autocomplete="off" enterkeyhint="done" .value=${view.label}
        @input=${(/** @type {any} */ e) => { view.label = e.target.value }}>
      <button id="create" data-testid="create" class="main" type="submit" ?disabled=${busy}>${busy ? 'Follow your phone…' : 'Create key on this phone'}</button>
      <button type="button" @click=${cancel} ?disabled=${busy}>Not now</button>
      <dl class="soft">
        <dt>Account</dt><dd class="mono">${view.account}</dd>
        <dt>Ledger</dt><dd>${o.chainId}</dd>
        <dt>Page</dt><dd>${o.origin}</dd>
      </dl>
    </form>
  </section>`
}

function waiting() {
  return html`<section id="waiting" data-testid="waiting">
    ${steps(view.step)}
    <h1 tabindex="-1">${view.title}</h1>
    <div class="card">
      ${view.digits ? html`<p>Compare this number with the one on the computer. Only if they are the same, confirm there.</p>
        <p class="digits" id="digits" aria-label=${view.digits.split('').join(' ')}>${view.digits.slice(0, 3)} ${view.digits.slice(3)}</p>` : nothing}
      <div class="waiting" role="status"><span class="spin" aria-hidden="true"></span><span>${view.text}</span></div>
      <button @click=${cancel}>Cancel</button>
    </div>
  </section>`
}

function confirm() {
  return html`<section data-testid="confirm-step">
    ${steps(2)}
    <h1 tabindex="-1">One more touch</h1>
    <p class="lead soft">The computer agreed. Now prove that this phone holds the key.</p>
    ${view.error ? html`<div class="notice" role="alert"><h2>${view.error.title}</h2><p>${view.error.text}</p></div>` : nothing}
    <div class="card">
      <button id="confirm" data-testid="confirm" class="main" @click=${prove} ?disabled=${view.busy}>${view.busy ? 'Follow your phone…' : 'Confirm'}</button>
      <button @click=${cancel} ?disabled=${view.busy}>Cancel</button>
      <p class="soft">The key may open and close locks. It stays out of everything else.</p>
    </div>
  </section>`
}

function problem() {
  return html`<section id="problem" data-testid="problem" data-kind=${view.kind}>
    <h1 tabindex="-1">${view.title}</h1>
    <div class="card" role="alert">
      <p>${view.text}</p>
      ${view.command ? html`<code class="command">${view.command}</code>` : nothing}
      ${view.link ? html`<a class="button main" href=${view.link}>${view.link.replace(/\/?#.*/, '')}</a>` : nothing}
      ${view.plain ? nothing : html`<button class="main" @click=${start}>${session?.profile ? 'Back to my locks' : 'Start again'}</button>`}
    </div>
  </section>`
}

function half() {
  const { setup } = view
  const guest = setup.profile?.purpose === 2
  return html`<section id="problem" data-testid="problem" data-kind="half_added">
    <h1 tabindex="-1">Adding this phone was not finished</h1>
    <div class="card">
      <p>This page was closed in the middle. To start again, run this on the ${guest ? 'owner’s ' : ''}computer and open the new link:</p>
      <code class="command">${guest ? 'hos grant add … --phone' : 'hos key add-phone'}</code>
      ${setup.stage === 'proof' ? html`<p>If the computer said “done”, the key is there already:</p>
        <button class="main" @click=${lookAgain}>Look for it again</button>` : nothing}
      ${guest ? nothing : html`<p class="soft">Should <code>hos key list</code> show ${setup.keyId} and you do not use it, remove it with <code>hos key revoke</code>.</p>`}
      <button @click=${startOver}>Start over</button>
    </div>
  </section>`
}

function unfitPlace(/** @type {string} */ reason) {
  const local = localhostOf(location)
  const [title, text] = /** @type {Record<string, string[]>} */ ({
    address: ['Open this page by its name', 'Phones give keys only to pages with a name; this one was opened by a number (an IP address).'],
    insecure: ['Open this page over https', 'Phones give keys only to pages that came over an encrypted connection.'],
    no_passkeys: ['This browser has no passkeys', 'Open the page in the phone’s own browser (Chrome, Safari, Firefox), not inside another app, and set a screen lock.'],
    no_storage: ['This browser keeps nothing', 'Allow this page to keep data, or leave private browsing.'],
  })[reason]
  return html`<section id="problem" data-testid="problem" data-kind=${reason}>
    <h1 tabindex="-1">${title}</h1>
    <div class="card" role="alert">
      <p>${text}</p>
      ${local ? html`<p>Here it is enough to use the name localhost:</p><a class="button main" href=${local}>Open ${local.replace(/\/(#.*)?$/, '')}</a>` : nothing}
      ${!local && (reason === 'address' || reason === 'insecure') ? html`
        <p>What to do: use the address that begins with <strong>https://</strong> and a name. Ask whoever runs the node for it.</p>
        <p class="soft">To run a node that phones can use: give it a name and a certificate (<code>hosd start --phone-host NAME --phone-tls-cert FILE --phone-tls-key FILE</code>). For trying it out on one machine, <code>http://localhost</code> works too.</p>` : nothing}
    </div>
  </section>`
}

/** @param {CustomEvent<Session>} e */
async function ready(e) {
  session = e.detail
  for (const name of ['devices', 'connection', 'notice', 'history', 'profile']) session.addEventListener(name, draw)
  wireHome(session, draw)
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && session?.profile && !adding) session.watch()
  })
  await start()
}

/** @param {CustomEvent} e */
function broken(e) { fail(e.detail) }

/** Who has used a lock has read that the phone was added. */
function used() { if (view.done) show({ name: 'home' }) }

/** Where to begin: with a link, at home, or with an explanation. */
async function start() {
  try {
    adding?.stop()
    adding = null
    const secret = takeLink()
    if (secret) return await begin(secret)
    const s = /** @type {Session} */ (session)
    const setup = await s.store.setup()
    if (setup && !s.profile) return await lookFor(setup)
    if (!s.profile) return show({ name: 'noKey' })
    s.watch()
    show({ name: 'home' })
  } catch (e) {
    fail(e)
  }
}

/** The secret of the link that the page was opened with. It does not stay in the address or the history. */
function takeLink() {
  const { hash } = location
  if (!hash.startsWith('#phone')) return null
  history.replaceState(null, '', location.pathname)
  return parseFragment(hash)
}

/** @param {Uint8Array} secret */
async function begin(secret) {
  const s = /** @type {Session} */ (session)
  const a = adding = new Adding({ secret, client: s.client, store: s.store })
  show({ name: 'waiting', step: 1, title: 'Opening the link', text: 'Asking the node for the offer…' })
  await guarded(a, async () => {
    const o = await a.fetchOffer()
    show({ name: 'offer', offer: o, label: o.label || 'My phone', account: accountText(o.account) })
  })
}

/** @param {Event} e */
async function create(e) {
  e.preventDefault()
  const a = adding
  if (!a || view.busy) return
  const before = { ...view, error: null, busy: false }
  show({ ...before, busy: true })
  try {
    await a.createKey(cleanLabel(view.label))
  } catch (err) {
    if (!(err instanceof HosError) || !['cancelled', 'unavailable'].includes(err.kind) || a.abort.signal.aborted) return fail(err)
    say('No key was made.')
    return show({ ...before, error: problemOf(new HosError(err.kind === 'cancelled' ? 'not_made' : err.kind, err.detail)) })
  }
  await guarded(a, async () => {
    if (!a.own) return await ending(a, 2)
    show({ name: 'waiting', step: 2, title: 'Confirm on your computer', text: 'Waiting for the computer…', digits: a.digits })
    const change = await a.fetchChange()
    say('The computer agreed. Confirm here.')
    show({ name: 'confirm', change })
  })
}

/** A name without what neither terminal nor page would show, at most 64 bytes. @param {string} text */
function cleanLabel(text) {
  let out = ''
  for (const c of text.trim().replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '')) {
    if (new TextEncoder().encode(out + c).length > 64) break
    out += c
  }
  return out
}

async function prove() {
  const a = adding
  if (!a || view.busy) return
  const { change } = view
  show({ name: 'confirm', change, busy: true })
  try {
    await a.prove(change)
  } catch (e) {
    if (!(e instanceof HosError) || e.kind !== 'cancelled' || a.abort.signal.aborted) return fail(e)
    return show({ name: 'confirm', change, error: problemOf(new HosError('not_proven', e.detail)) })
  }
  await guarded(a, () => ending(a, 3))
}

/** Waits for the wallet's last word. @param {Adding} a @param {number} step */
async function ending(a, step) {
  show({
    name: 'waiting', step, digits: a.own ? '' : a.digits,
    title: a.own ? 'Almost there' : 'Confirm on the owner’s computer', text: 'Waiting until the ledger has it…',
  })
  const profile = await a.finish()
  adding = null
  const s = /** @type {Session} */ (session)
  await s.use(profile)
  s.watch()
  show({ name: 'home', done: profile.purpose === 1 ? 'This phone is a key of your account now.' : 'Your permission is on this phone now.' })
  say('Done. This phone is added.')
}

/**
 * Runs a step of adding; what goes wrong is shown, unless the person left.
 * @param {Adding} a @param {() => Promise<void>} f
 */
async function guarded(a, f) {
  try {
    await f()
  } catch (e) {
    if (a === adding && !a.abort.signal.aborted) fail(e)
  }
}

async function cancel() {
  adding?.stop()
  adding = null
  const s = /** @type {Session} */ (session)
  await s.store.saveSetup(null)
  say('Cancelled.')
  await start()
}

/** @param {unknown} e */
function fail(e) {
  adding?.stop()
  adding = null
  show({ name: 'problem', ...problemOf(e) })
}

/** After a reload in the middle: the ledger may have the key already. @param {import('../src/store.js').Setup} setup */
async function lookFor(setup) {
  const s = /** @type {Session} */ (session)
  const p = setup.profile
  if (setup.stage === 'proof' && p?.purpose === 1) {
    try {
      const { record } = await s.client.account(p.account)
      const mine = keyText(keyId(p.public))
      if (record.keys.some((/** @type {any} */ k) => k.id === mine)) {
        await s.use(p)
        s.watch()
        return show({ name: 'home', done: 'This phone is a key of your account now.' })
      }
    } catch {
      // The node does not say: the person can look again.
    }
  }
  show({ name: 'half', setup })
}

async function lookAgain() {
  const { setup } = view
  show({ name: 'loading' })
  await lookFor(setup)
}

async function startOver() {
  await /** @type {Session} */ (session).store.saveSetup(null)
  await start()
}

async function forget() {
  await /** @type {Session} */ (session).forget()
  say('This phone has forgotten its key.')
  await start()
}

main.replaceChildren() // what the page shows before this runs
const reason = unfit(location, {
  secure: window.isSecureContext, passkeys: 'PublicKeyCredential' in window && !!navigator.credentials, storage: 'indexedDB' in window,
})
if (reason) {
  // Without a provider: nothing here can work.
  render(unfitPlace(reason), main)
} else {
  draw()
  window.addEventListener('hashchange', () => { if (session) void start() })
  void navigator.serviceWorker?.register('/sw.js', { updateViaCache: 'none' }).catch(() => {}) // the page works without
}
