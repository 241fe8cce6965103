import {
  HttpStatus,
  Inject,
  Injectable,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { TenantRequest } from '../cloacina.callbacks.js';
import { DashboardAccess } from './access.js';
import { DashboardProblem } from './problem.js';

/**
 * Admits actions that a page of another origin can't send: a form can't set the header, and a script that sets it needs the
 * permission of this server first. Refuses all of them in read-only mode.
 */
@Injectable()
export class ActionGuard implements CanActivate {
  constructor(@Inject(DashboardAccess) private readonly access: DashboardAccess) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<TenantRequest>();
    if (headers['x-cloacina-action'] !== '1') {
      throw new DashboardProblem(
        HttpStatus.FORBIDDEN,
        'ACTION_HEADER_MISSING',
        'An action needs the header "x-cloacina-action: 1".',
      );
    }
    const type = String(headers['content-type'] ?? '');
    if (!/^application\/json\s*(?:;|$)/i.test(type)) {
      throw new DashboardProblem(
        HttpStatus.UNSUPPORTED_MEDIA_TYPE,
        'NOT_JSON',
        'The body of an action must be JSON, with "content-type: application/json".',
      );
    }
    if (this.access.readOnly) {
      throw new DashboardProblem(
        HttpStatus.FORBIDDEN,
        'READ_ONLY',
        'The dashboard is read-only: the option readOnly of the module is true.',
      );
    }
    return true;
  }
}
