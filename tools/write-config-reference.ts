// `npm run generate`: writes .env.example and config/reference.md from src/config/variables.ts.
import { writeFileSync } from 'node:fs';
import { configReference, envExample } from '../src/config/reference.ts';

const root = new URL('../', import.meta.url);
writeFileSync(new URL('.env.example', root), envExample());
writeFileSync(new URL('config/reference.md', root), configReference());
