CREATE TABLE "experiments" (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), 
	creation_time BIGINT, 
	last_update_time BIGINT, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT uq_experiments_workspace_name UNIQUE (workspace, name)
);
CREATE TABLE "experiment_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value TEXT, 
	experiment_id INTEGER NOT NULL, 
	CONSTRAINT experiment_tag_pk PRIMARY KEY ("key", experiment_id), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
CREATE TABLE "runs" (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(9), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, deleted_time BIGINT, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
CREATE TABLE "metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	step BIGINT DEFAULT '0' NOT NULL, 
	is_nan BOOLEAN DEFAULT '0' NOT NULL, 
	CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
CREATE TABLE "params" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000) NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
CREATE TABLE "tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('dc11669786a5');
INSERT INTO "experiments" VALUES(0,'Default','/tmp/runs/mlruns/0','active',1795986552590,1795986552590,'default');
INSERT INTO "experiments" VALUES(1,'my/experiment','file:///tmp/runs/artifacts','active',1795986552592,1795986552592,'default');
INSERT INTO "metrics" VALUES('train/loss',1.0,1700000000000,'32d1a130ec024d8aa867e941b69e039f',0,0);
INSERT INTO "metrics" VALUES('val/acc',0.0,1700000000001,'32d1a130ec024d8aa867e941b69e039f',0,0);
INSERT INTO "metrics" VALUES('train/loss',0.5,1700000001000,'32d1a130ec024d8aa867e941b69e039f',1,0);
INSERT INTO "metrics" VALUES('train/loss',3.33333333333333314829e-01,1700000002000,'32d1a130ec024d8aa867e941b69e039f',2,0);
INSERT INTO "metrics" VALUES('val/acc',0.2,1700000002001,'32d1a130ec024d8aa867e941b69e039f',2,0);
INSERT INTO "metrics" VALUES('train/loss',0.25,1700000003000,'32d1a130ec024d8aa867e941b69e039f',3,0);
INSERT INTO "metrics" VALUES('train/loss',0.2,1700000004000,'32d1a130ec024d8aa867e941b69e039f',4,0);
INSERT INTO "metrics" VALUES('val/acc',0.4,1700000004001,'32d1a130ec024d8aa867e941b69e039f',4,0);
INSERT INTO "metrics" VALUES('train/loss',1.66666666666666657414e-01,1700000005000,'32d1a130ec024d8aa867e941b69e039f',5,0);
INSERT INTO "metrics" VALUES('train/loss',1.42857142857142849212e-01,1700000006000,'32d1a130ec024d8aa867e941b69e039f',6,0);
INSERT INTO "metrics" VALUES('val/acc',0.6,1700000006001,'32d1a130ec024d8aa867e941b69e039f',6,0);
INSERT INTO "metrics" VALUES('train/loss',0.125,1700000007000,'32d1a130ec024d8aa867e941b69e039f',7,0);
INSERT INTO "metrics" VALUES('train/loss',1.11111111111111104943e-01,1700000008000,'32d1a130ec024d8aa867e941b69e039f',8,0);
INSERT INTO "metrics" VALUES('val/acc',0.8,1700000008001,'32d1a130ec024d8aa867e941b69e039f',8,0);
INSERT INTO "metrics" VALUES('train/loss',0.1,1700000009000,'32d1a130ec024d8aa867e941b69e039f',9,0);
INSERT INTO "metrics" VALUES('odd',0.0,1700000020000,'32d1a130ec024d8aa867e941b69e039f',0,1);
INSERT INTO "metrics" VALUES('odd',1.79769313486231562234e+308,1700000020001,'32d1a130ec024d8aa867e941b69e039f',0,0);
INSERT INTO "metrics" VALUES('odd',-1.79769313486231562234e+308,1700000020002,'32d1a130ec024d8aa867e941b69e039f',0,0);
INSERT INTO "metrics" VALUES('odd',1.5,1700000020003,'32d1a130ec024d8aa867e941b69e039f',0,0);
INSERT INTO "metrics" VALUES('system/cpu_utilization_percentage',12.5,1700000005000,'32d1a130ec024d8aa867e941b69e039f',0,0);
INSERT INTO "metrics" VALUES('x',1.0,1700000100000,'11d1509e3ebb4658ac96b45aae9c5a0b',0,0);
INSERT INTO "params" VALUES('lr','0.1','32d1a130ec024d8aa867e941b69e039f');
INSERT INTO "params" VALUES('epochs','10','32d1a130ec024d8aa867e941b69e039f');
INSERT INTO "params" VALUES('use_bias','True','32d1a130ec024d8aa867e941b69e039f');
INSERT INTO "params" VALUES('layers','[1, 2]','32d1a130ec024d8aa867e941b69e039f');
INSERT INTO "params" VALUES('name','resnet','32d1a130ec024d8aa867e941b69e039f');
INSERT INTO "params" VALUES('nothing','None','32d1a130ec024d8aa867e941b69e039f');
INSERT INTO "runs" VALUES('32d1a130ec024d8aa867e941b69e039f','first run','UNKNOWN','','','me','FINISHED',1700000000000,1700000030000,'','active','file:///tmp/runs/artifacts/32d1a130ec024d8aa867e941b69e039f/artifacts',1,NULL);
INSERT INTO "runs" VALUES('11d1509e3ebb4658ac96b45aae9c5a0b','resilient-ant-392','UNKNOWN','','','unknown','FAILED',1700000100000,1700000101000,'','active','file:///tmp/runs/artifacts/11d1509e3ebb4658ac96b45aae9c5a0b/artifacts',1,NULL);
INSERT INTO "runs" VALUES('34617b4523554b0b9847216250f21db3','tasteful-donkey-288','UNKNOWN','','','unknown','RUNNING',1700000200000,NULL,'','active','file:///tmp/runs/artifacts/34617b4523554b0b9847216250f21db3/artifacts',1,NULL);
INSERT INTO "runs" VALUES('61fbf07e9ea1478da2e97f8cc81c8e08','persistent-ant-648','UNKNOWN','','','unknown','RUNNING',1700000300000,NULL,'','deleted','file:///tmp/runs/artifacts/61fbf07e9ea1478da2e97f8cc81c8e08/artifacts',1,1795986552813);
INSERT INTO "tags" VALUES('mlflow.runName','first run','32d1a130ec024d8aa867e941b69e039f');
INSERT INTO "tags" VALUES('mlflow.note.content','some notes','32d1a130ec024d8aa867e941b69e039f');
INSERT INTO "tags" VALUES('mlflow.user','me','32d1a130ec024d8aa867e941b69e039f');
INSERT INTO "tags" VALUES('team','vision','32d1a130ec024d8aa867e941b69e039f');
INSERT INTO "tags" VALUES('mlflow.source.name','train.py','32d1a130ec024d8aa867e941b69e039f');
INSERT INTO "tags" VALUES('mlflow.source.git.commit','abc123','32d1a130ec024d8aa867e941b69e039f');
INSERT INTO "tags" VALUES('mlflow.parentRunId','32d1a130ec024d8aa867e941b69e039f','11d1509e3ebb4658ac96b45aae9c5a0b');
INSERT INTO "tags" VALUES('mlflow.runName','resilient-ant-392','11d1509e3ebb4658ac96b45aae9c5a0b');
INSERT INTO "tags" VALUES('mlflow.runName','tasteful-donkey-288','34617b4523554b0b9847216250f21db3');
INSERT INTO "tags" VALUES('mlflow.runName','persistent-ant-648','61fbf07e9ea1478da2e97f8cc81c8e08');
