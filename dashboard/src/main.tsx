import { render } from 'preact';
import type { Session } from '../../lib/dashboard/http-types.js';
import { App } from './app.js';
import { get } from './core/api.js';
import { goLive } from './core/live.js';
import { followLinks } from './core/router.js';
import { applyTheme, session } from './core/session.js';
import { Trouble } from './ui/parts.js';

applyTheme();
const root = document.querySelector('#app');
if (root !== null) await start(root);

async function start(into: Element): Promise<void> {
  try {
    session.value = await get<Session>('api/session');
  } catch (error) {
    render(<Trouble error={error as Error} onRetry={() => globalThis.location.reload()} />, into);
    return;
  }
  followLinks();
  render(<App />, into);
  goLive(session.value.pollMs);
}
