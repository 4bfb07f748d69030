package storetest

var crashTests []contract
