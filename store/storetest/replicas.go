package storetest

var replicaTests []contract
