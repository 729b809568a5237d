import { drivers } from '../support/app.ts';
import { testFlows } from './every-flow.ts';

// Run by `npm run test:moments`: minutes.
for (const driver of drivers) testFlows(driver, 'all');
