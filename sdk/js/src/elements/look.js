import { css } from 'lit'

/**
 * How a lock looks. Pages change it by the properties --hos-… and by parts. A
 * state has a colour and a sign and words: nothing hangs on colour alone. Green
 * stands in one rule only, for a verified receipt.
 */
export const look = css`
  :host { display: block; color: var(--hos-ink, #17211f); font: inherit; }
  * { box-sizing: border-box; }
  section {
    background: var(--hos-card, #fff); border-radius: 24px; padding: 20px;
    border: 1px solid var(--hos-line, #dfe4e2);
  }
  :host([state='executed']) section { border-color: var(--hos-good, #1a7f4b); }
  :host([state='forged']) section { border-color: var(--hos-bad, #b3261e); }
  header { display: flex; justify-content: space-between; align-items: start; gap: 12px; margin-bottom: 16px; }
  h2 { font-size: 1.25rem; line-height: 1.3; margin: 0; overflow-wrap: anywhere; font-weight: 650; }
  p { margin: 0; line-height: 1.45; }
  .model { color: var(--hos-soft, #56635f); font-size: .9rem; }
  .presence { display: inline-flex; align-items: center; gap: 7px; font-size: .85rem; color: var(--hos-soft, #56635f); white-space: nowrap; padding-top: 5px; }
  .presence::before { content: ''; width: 9px; height: 9px; border-radius: 50%; border: 2px solid currentColor; }
  .presence.on::before { background: var(--hos-accent, #234e70); border-color: var(--hos-accent, #234e70); }
  button {
    font: inherit; font-weight: 600; min-height: 48px; padding: 10px 18px; border-radius: 16px; cursor: pointer;
    border: 1px solid var(--hos-line, #dfe4e2); background: transparent; color: inherit; touch-action: manipulation;
  }
  button:focus-visible, summary:focus-visible { outline: 3px solid var(--hos-focus, #d98a00); outline-offset: 3px; }
  button:disabled { cursor: progress; opacity: .75; }
  .main {
    width: 100%; min-height: 104px; font-size: 1.6rem; border: 0; border-radius: 20px; display: flex; gap: 14px; align-items: center; justify-content: center;
    background: var(--hos-accent, #234e70); color: var(--hos-on-accent, #fff);
  }
  .main small { display: block; font-size: .85rem; font-weight: 500; opacity: .9; }
  .main:active:not(:disabled) { transform: scale(.985); }
  /* No fading: no other state is ever seen in green, not for a moment. */
  :host([state='executed']) .main { background: var(--hos-good, #1a7f4b); color: var(--hos-on-good, #fff); }
  .more { display: flex; flex-wrap: wrap; gap: 10px; margin-top: 10px; }
  .more:not(:has(button)) { display: none; }
  .more button { flex: 1 1 auto; }
  .words { display: flex; gap: 12px; margin-top: 16px; border-radius: 16px; padding: 14px 16px; background: var(--hos-tint, #eef2f1); }
  .words strong { display: block; font-size: 1.05rem; margin-bottom: 2px; }
  .sign { flex: none; width: 28px; height: 28px; border-radius: 50%; display: grid; place-items: center; font-weight: 700; color: #fff; background: var(--hos-soft, #56635f); }
  .plain .sign { display: none; }
  .good { background: var(--hos-good-tint, #e2f3e9); }
  .good .sign { background: var(--hos-good, #1a7f4b); color: var(--hos-on-good, #fff); }
  .wait { background: var(--hos-wait-tint, #fdf1dc); }
  .wait .sign { background: var(--hos-wait, #8a5a00); color: var(--hos-on-wait, #fff); }
  .no .sign { background: var(--hos-ink, #17211f); color: var(--hos-card, #fff); }
  .bad { background: var(--hos-bad, #b3261e); color: var(--hos-on-bad, #fff); }
  .bad .sign { background: var(--hos-on-bad, #fff); color: var(--hos-bad, #b3261e); }
  .note { color: var(--hos-soft, #56635f); font-size: .95rem; margin-top: 10px; }
  header + .note { margin-top: 0; }
  details { margin-top: 12px; }
  summary { cursor: pointer; min-height: 44px; display: flex; align-items: center; color: var(--hos-soft, #56635f); border-radius: 10px; }
  summary::before { content: '›'; display: inline-block; width: 1.2em; transition: transform .2s; }
  details[open] summary::before { transform: rotate(90deg); }
  dl { display: grid; grid-template-columns: auto 1fr; gap: 6px 16px; margin: 10px 0 0; font-size: .92rem; }
  dt { color: var(--hos-soft, #56635f); }
  dd { margin: 0; overflow-wrap: anywhere; }
  .hex { font-family: ui-monospace, monospace; font-size: .82rem; }
  .spin { width: 24px; height: 24px; border-radius: 50%; border: 3px solid currentColor; border-right-color: transparent; animation: spin 1s linear infinite; }
  @keyframes spin { to { transform: rotate(1turn); } }
  @media (prefers-reduced-motion: reduce) {
    .spin { animation-duration: 4s; }
    summary::before { transition: none; }
  }
`
