import { describeStore } from '../../conformance/describe-store.js';
import { openPostgres } from './tested-postgres.js';

describeStore('on PostgreSQL', openPostgres);
