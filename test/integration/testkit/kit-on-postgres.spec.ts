import { describeKit } from '../../unit/testkit/describe-kit.js';

describeKit('postgres');
