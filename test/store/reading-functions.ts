// Functions of the store that only read: they answer the same as often as they are asked.

export const READING =
  'newestRecord openRunsAfter missingRuns readCall viewPause keepThrough ' +
  'readLines readRecordState listRuns countRuns listWaiting readRuns ' +
  'readRun readCalls readUsage readUsageByOrg readEndShown readVisibleRun findVisibleRun readStanding readRecordStanding readAuditLines mediaOf ' +
  'mediaBytes mediaOfCalls lockRun lockSessionAndRun listSessions findSession ' +
  'readConversation readTurnRow turnWorkOf readInbox readInboxHead ' +
  'runsWithExpired startedRun endedAmong missingBeforeEnd readCounterpart isNew openAfter openAmong readHistory ' +
  'readReply statusOf readCallSchema listDeliveries listWebhooks ' +
  'findWebhook heldRuns listBases findBase findBases listDocuments findDocument ' +
  'readToTakeIn languageFor passagesToEmbed passagesOfOtherModels ' +
  'countWithoutVector nearestPassages searchPassages readMemory ' +
  'listMemories findMemories memoriesForRun openRunsOfUser sessionsOfUser readDue ' +
  'readSlots limitStart refuseOverLimits judgeCalls judgeAgain editOf findGrant listGrants ' +
  'lookAtGrants readKeptCalls readUnknownCall readHead readSeals countUnsealed listAudit';

/** Of knowledge and memory, which write by ids of their own. */
export const KNOWLEDGE =
  'createBase deleteBase giveDocument deleteDocument keepFetchedFile keepPassages noteSplit ' +
  'advance publishDocument failDocument leaseToDo noteStarted startAgain noteCancelled giveBack ' +
  'deletePassages purgeDocument deleteEmptyBases openDocuments keepVectors keepMemory ' +
  'deleteMemory deleteMemoriesOf';

/** Of webhooks and their deliveries. */
export const WEBHOOKS =
  'retryDelivery addTrial announceExpiringPauses leaseDeliveries recordOutcomes ' +
  'giveUpInactive createWebhook deleteWebhook';

/** Of grants, but for taking a use. */
export const GRANTS = 'createGrant addGiver revokeGrant createBesideVote';
