// Everything below /api/knowledge.

import type { AppDeps } from '../deps.ts';
import type { Route } from '../http/route.ts';
import { baseRoutes } from './base-routes.ts';
import { documentRoutes } from './document-routes.ts';
import { searchRoutes } from './search-routes.ts';

export const knowledgeRoutes = (deps: AppDeps): readonly Route[] => [
  ...baseRoutes(deps),
  ...documentRoutes(deps),
  ...searchRoutes(deps),
];
